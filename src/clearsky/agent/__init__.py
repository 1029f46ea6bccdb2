"""What runs with privileges on each host. It never touches the database."""
