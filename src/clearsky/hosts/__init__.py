"""Who may be a host of the cloud: invitations, members, and the door by which new ones come in."""
