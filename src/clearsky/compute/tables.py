"""Tables of the Compute service."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Double, Integer, String, Table, Text, UniqueConstraint

from clearsky.db.types import Json, Timestamp, metadata

flavors = Table(
    "flavors",
    metadata,
    Column("id", String(255), primary_key=True),
    Column("name", String(255), nullable=False, unique=True),
    Column("vcpus", Integer, nullable=False),
    Column("ram_mib", Integer, nullable=False),
    Column("disk_gib", Integer, nullable=False),
    Column("ephemeral_gib", Integer, nullable=False, default=0),
    Column("swap_mib", Integer, nullable=False, default=0),
    Column("rxtx_factor", Double, nullable=False, default=1.0),
    Column("is_public", Boolean, nullable=False, default=True),
    Column("description", Text),
    Column("extra_specs", Json, nullable=False, default=dict),
    Column("created_at", Timestamp, nullable=False),
)

flavor_access = Table(
    "flavor_access",
    metadata,
    Column("flavor_id", String(255), primary_key=True),
    Column("project_id", String(64), primary_key=True),
)

keypairs = Table(
    "keypairs",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("user_id", String(64), nullable=False),
    Column("name", String(255), nullable=False),
    Column("type", String(4), nullable=False, default="ssh"),
    Column("public_key", Text, nullable=False),
    Column("fingerprint", String(64), nullable=False),
    Column("created_at", Timestamp, nullable=False),
    UniqueConstraint("user_id", "name"),
)

servers = Table(
    "servers",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("project_id", String(64), nullable=False, index=True),
    Column("user_id", String(64), nullable=False),
    Column("name", String(255), nullable=False),
    Column("hostname", String(255), nullable=False, default=""),
    Column("description", String(255)),
    Column("access_ip_v4", String(64), nullable=False, default=""),
    Column("access_ip_v6", String(64), nullable=False, default=""),
    Column("created_at", Timestamp, nullable=False, index=True),
    Column("updated_at", Timestamp, nullable=False),
    Column("launched_at", Timestamp),
    Column("terminated_at", Timestamp),
    Column("deleted", Boolean, nullable=False, default=False),
    Column("request_id", String(64), nullable=False, default=""),
    Column("reservation_id", String(20), nullable=False, default=""),
    Column("launch_index", Integer, nullable=False, default=0),
    Column("image_id", String(36)),
    Column("flavor", Json, nullable=False),
    Column("key_name", String(255)),
    Column("public_key", Text),
    Column("user_data", Text),
    Column("config_drive", Boolean, nullable=False, default=False),
    Column("metadata", Json, nullable=False, default=dict),
    Column("tags", Json, nullable=False, default=list),
    Column("availability_zone", String(255)),
    Column("forced_host", String(255)),
    Column("plan", Json, nullable=False),
    Column("vcpus", Integer, nullable=False),
    Column("ram_mib", Integer, nullable=False),
    Column("locked", Boolean, nullable=False, default=False),
    Column("locked_reason", String(255)),
    Column("desired", String(10), nullable=False, default="running"),
    Column("to_delete", Boolean, nullable=False, default=False),
    Column("host", String(255), index=True),
    Column("ready", Boolean, nullable=False, default=False),
    Column("action", Json),
    Column("vm_state", String(12), nullable=False, default="building"),
    Column("task_state", String(40)),
    Column("deadline_at", Timestamp),
    Column("power", String(10), nullable=False, default="absent"),
    Column("action_done", String(64), nullable=False, default=""),
    Column("console_path", Text, nullable=False, default=""),
    Column("plugged", Json, nullable=False, default=list),
    Column("observed_error", Text, nullable=False, default=""),
    Column("fault", Json),
)
"""`desired`, `to_delete`, `action`: what is wanted. `host`, `ready`: choices that are written before they are acted
on (`ready`: the host's agent may have it). `power` ... `observed_error`: what the agent has seen."""

actions = Table(
    "server_actions",
    metadata,
    Column("request_id", String(64), primary_key=True),
    Column("server_id", String(36), primary_key=True, index=True),
    Column("action", String(40), nullable=False),
    Column("user_id", String(64), nullable=False),
    Column("project_id", String(64), nullable=False),
    Column("started_at", Timestamp, nullable=False),
    Column("updated_at", Timestamp, nullable=False),
    Column("message", Text),
)

hosts = Table(
    "compute_hosts",
    metadata,
    Column("name", String(255), primary_key=True),
    Column("id", String(36), nullable=False),
    Column("enabled", Boolean, nullable=False, default=True),
    Column("disabled_reason", String(255)),
    Column("forced_down", Boolean, nullable=False, default=False),
    Column("seen_at", Timestamp, nullable=False),
    Column("revision", BigInteger, nullable=False, default=0),
    Column("capacity", Json, nullable=False, default=dict),
    Column("version", String(40), nullable=False, default=""),
)

consoles = Table(
    "console_tokens",
    metadata,
    Column("token_hash", String(64), primary_key=True),
    Column("server_id", String(36), nullable=False),
    Column("expires_at", Timestamp, nullable=False, index=True),
)

quotas = Table(
    "compute_quotas",
    metadata,
    Column("project_id", String(64), primary_key=True),
    Column("resource", String(64), primary_key=True),
    Column("limit_", BigInteger, nullable=False),
)
