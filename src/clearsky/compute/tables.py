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
    Column("disk_config", String(6), nullable=False, default="MANUAL"),
    Column("config_drive", Boolean, nullable=False, default=False),
    Column("metadata", Json, nullable=False, default=dict),
    Column("tags", Json, nullable=False, default=list),
    Column("availability_zone", String(255)),
    Column("forced_host", String(255)),
    Column("zone", String(255)),
    Column("plan", Json, nullable=False),
    Column("vcpus", Integer, nullable=False),
    Column("ram_mib", Integer, nullable=False),
    Column("locked", Boolean, nullable=False, default=False),
    Column("locked_reason", String(255)),
    Column("group_id", String(36), index=True),
    Column("scheduler_hints", Json, nullable=False, default=dict),
    Column("image_properties", Json, nullable=False, default=dict),
    Column("password", Text, nullable=False, default=""),
    Column("wish", String(64), nullable=False, default=""),
    Column("desired", String(10), nullable=False, default="running"),
    Column("disk", Json),
    Column("rescue", Json),
    Column("snapshot", Json),
    Column("shelf", Json),
    Column("resize", Json),
    Column("detaching", Json, nullable=False, default=list),
    Column("to_delete", Boolean, nullable=False, default=False),
    Column("host", String(255), index=True),
    Column("ready", Boolean, nullable=False, default=False),
    Column("action", Json),
    Column("vm_state", String(20), nullable=False, default="building"),
    Column("task_state", String(40)),
    Column("deadline_at", Timestamp),
    Column("power", String(10), nullable=False, default="absent"),
    Column("action_done", String(64), nullable=False, default=""),
    Column("console_path", Text, nullable=False, default=""),
    Column("plugged", Json, nullable=False, default=list),
    Column("observed_error", Text, nullable=False, default=""),
    Column("reached", String(64), nullable=False, default=""),
    Column("snapshot_done", Text, nullable=False, default=""),
    Column("fault", Json),
)
"""What is wanted: `desired`, `to_delete`, `action`, and
`wish`: a new text for every new desired state; the host reports the one that it has `reached`,
`disk`: what the root disk is made from (image_id, format, size_bytes, and a token that changes when it is made anew),
`rescue`: the same of the disk that it boots from instead, null where it is not rescued,
`snapshot`: the copy of the disk that is being made (image_id, token, then: "stay" or "shelve"),
`shelf`: the image that a server without a host is kept in (image_id),
`resize`: a resize until it is confirmed or reverted (token, old flavor, old vm_state, step, migration_id),
`detaching`: ids of ports that are being taken out.
`host`, `ready`: choices that are written before they are acted on (`ready`: the host's agent may have it); `zone`:
where the host is, which does not change while servers are on it, and `availability_zone`: where it must be.
`power` ... `snapshot_done`: what the agent has seen."""

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

host_statistics = Table(
    "compute_host_statistics",
    metadata,
    Column("host", String(255), primary_key=True),
    Column("seen_at", Timestamp, nullable=False),
    Column("servers", Json, nullable=False, default=dict),
)
"""What each running server of a host uses, as the hypervisor counts it: for diagnostics."""

server_groups = Table(
    "server_groups",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("project_id", String(64), nullable=False, index=True),
    Column("user_id", String(64), nullable=False),
    Column("name", String(255), nullable=False),
    Column("policy", String(24), nullable=False),
    Column("rules", Json, nullable=False, default=dict),
    Column("created_at", Timestamp, nullable=False),
)

aggregates = Table(
    "aggregates",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("uuid", String(36), nullable=False),
    Column("name", String(255), nullable=False, unique=True),
    Column("metadata", Json, nullable=False, default=dict),
    Column("created_at", Timestamp, nullable=False),
    Column("updated_at", Timestamp),
)

aggregate_hosts = Table(
    "aggregate_hosts",
    metadata,
    Column("aggregate_id", Integer, primary_key=True),
    Column("host", String(255), primary_key=True),
)

migrations = Table(
    "compute_migrations",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("uuid", String(36), nullable=False),
    Column("server_id", String(36), nullable=False, index=True),
    Column("project_id", String(64), nullable=False),
    Column("user_id", String(64), nullable=False),
    Column("type", String(16), nullable=False),
    Column("status", String(16), nullable=False),
    Column("source", String(255), nullable=False),
    Column("target", String(255), nullable=False),
    Column("old_flavor_id", String(255), nullable=False),
    Column("new_flavor_id", String(255), nullable=False),
    Column("created_at", Timestamp, nullable=False, index=True),
    Column("updated_at", Timestamp, nullable=False),
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
