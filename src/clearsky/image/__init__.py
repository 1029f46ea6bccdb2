"""The Image service (Glance's API): what servers boot from."""
