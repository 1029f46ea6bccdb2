"""JSON Schemas of the Compute API; lifetimes of properties are microversions."""
