"""JSON Schemas of the Identity API's requests and responses."""
