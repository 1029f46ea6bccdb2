"""The Network service (Neutron's API): isolated networks, routers, floating IPs, security groups; carried by OVN."""
