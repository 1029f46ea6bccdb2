"""Compute's rules, under upstream's names."""

from __future__ import annotations

from clearsky.api.policy import ADMIN, ANY_TOKEN, Rule

_READER = f"{ADMIN} or (role:reader and project_id:%(project_id)s)"
_MEMBER = f"{ADMIN} or (role:member and project_id:%(project_id)s)"
_READ = ("servers:index", "servers:detail", "servers:show", "ips:index", "server-metadata:index", "os-server-tags:index",
         "os-instance-actions:list", "os-attach-interfaces:list", "os-security-groups:list", "limits",
         "os-quota-sets:show")  # fmt: skip
_WRITE = ("servers:create", "servers:update", "servers:delete", "servers:start", "servers:stop", "servers:reboot",
          "os-pause-server:pause", "os-pause-server:unpause", "os-lock-server:lock", "os-lock-server:unlock",
          "os-console-output", "os-remote-consoles", "os-security-groups:change", "server-metadata:change",
          "os-server-tags:change")  # fmt: skip
_ADMIN = ("os-flavor-manage", "os-flavor-access", "os-flavor-extra-specs:change", "os-services:list", "os-services:update",
          "os-hypervisors", "os-quota-sets:update", "os-admin-actions:reset_state", "servers:admin_attributes",
          "os-availability-zone:detail")  # fmt: skip

RULES = (
    *(Rule(f"os_compute_api:{name}", _READER) for name in _READ),
    *(Rule(f"os_compute_api:{name}", _MEMBER) for name in _WRITE),
    *(Rule(f"os_compute_api:{name}", ADMIN) for name in _ADMIN),
    Rule("os_compute_api:any_token", ANY_TOKEN),
    Rule("os_compute_api:os-lock-server:unlock_override", ADMIN),
    Rule("os_compute_api:os-keypairs", f"{ADMIN} or user_id:%(user_id)s"),
)
