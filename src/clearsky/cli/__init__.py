"""The operator's commands. Tenants use python-openstackclient."""
