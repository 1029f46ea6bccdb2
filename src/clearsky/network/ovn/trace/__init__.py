"""OVN's own answer to what happens to a packet: ovn-trace over a copy of its databases, and its words as data."""
