"""Regions, services and endpoints."""

from __future__ import annotations

from sqlalchemy import Boolean, Column, String, Table, Text

from clearsky.db.types import Json, metadata

regions = Table(
    "identity_regions",
    metadata,
    Column("id", String(255), primary_key=True),
    Column("description", Text, nullable=False, default=""),
    Column("parent_region_id", String(255)),
    Column("extra", Json),
)

services = Table(
    "identity_services",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("type", String(255), nullable=False),
    Column("name", String(255), nullable=False, default=""),
    Column("enabled", Boolean, nullable=False, default=True),
    Column("extra", Json),
)

endpoints = Table(
    "identity_endpoints",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("service_id", String(64), nullable=False, index=True),
    Column("region_id", String(255)),
    Column("interface", String(8), nullable=False),
    Column("url", Text, nullable=False),
    Column("enabled", Boolean, nullable=False, default=True),
    Column("extra", Json),
)

endpoint_groups = Table(
    "identity_endpoint_groups",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("name", String(255), nullable=False),
    Column("description", Text),
    Column("filters", Json, nullable=False),
)
"""`filters`: what an endpoint must have to be in the group: interface, service_id, region_id, enabled."""

project_endpoints = Table(
    "identity_project_endpoints",
    metadata,
    Column("project_id", String(64), primary_key=True),
    Column("endpoint_id", String(64), primary_key=True, index=True),
)

project_endpoint_groups = Table(
    "identity_project_endpoint_groups",
    metadata,
    Column("project_id", String(64), primary_key=True),
    Column("endpoint_group_id", String(64), primary_key=True, index=True),
)

policies = Table(
    "identity_policies",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("type", String(255), nullable=False),
    Column("blob", Json, nullable=False),
    Column("extra", Json),
)

policy_associations = Table(
    "identity_policy_associations",
    metadata,
    Column("endpoint_id", String(64), primary_key=True, default=""),
    Column("service_id", String(64), primary_key=True, default=""),
    Column("region_id", String(255), primary_key=True, default=""),
    Column("policy_id", String(64), nullable=False, index=True),
)
"""A policy for an endpoint, for a service, or for a service in a region: the other columns are empty."""
