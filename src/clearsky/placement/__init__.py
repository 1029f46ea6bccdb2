"""The Placement service: what each host has, and who has claimed it."""
