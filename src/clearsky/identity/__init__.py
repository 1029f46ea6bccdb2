"""The Identity service (Keystone's API): who somebody is, and what they may do where."""
