"""The HTTP kit: assembly, routing, microversions, policy, faults, paging and validation. Knows no service."""
