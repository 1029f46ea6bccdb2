"""Compute's rules, under upstream's names."""

from __future__ import annotations

from clearsky.api.policy import ADMIN, ANY_TOKEN, Rule

_READER = f"{ADMIN} or (role:reader and project_id:%(project_id)s)"
_MEMBER = f"{ADMIN} or (role:member and project_id:%(project_id)s)"
_READ = (
    "servers:index", "servers:detail", "servers:show", "ips:index", "server-metadata:index", "os-server-tags:index",
    "os-instance-actions:list", "os-attach-interfaces:list", "os-attach-interfaces:show", "os-security-groups:list",
    "os-security-groups:get", "os-security-groups:show", "limits", "os-quota-sets:show", "os-server-password:show",
    "os-simple-tenant-usage:show", "os-server-groups:index", "os-server-groups:show", "os-floating-ips:list",
    "os-floating-ips:show", "os-floating-ip-pools", "os-networks:list", "os-networks:show", "os-tenant-networks:list",
    "os-tenant-networks:show",
)  # fmt: skip
_WRITE = (
    "servers:create", "servers:update", "servers:delete", "servers:start", "servers:stop", "servers:reboot",
    "servers:rebuild", "servers:resize", "servers:confirm_resize", "servers:revert_resize", "servers:create_image",
    "servers:trigger_crash_dump", "os-deferred-delete:restore", "os-create-backup", "os-rescue", "os-unrescue", "os-shelve:shelve", "os-shelve:unshelve",
    "os-suspend-server:suspend", "os-suspend-server:resume", "os-pause-server:pause", "os-pause-server:unpause",
    "os-lock-server:lock", "os-lock-server:unlock", "os-console-output", "os-remote-consoles", "server-metadata:change",
    "os-server-tags:change", "os-attach-interfaces:create", "os-attach-interfaces:delete", "os-multinic:add",
    "os-multinic:remove", "os-server-password:clear", "os-server-groups:create", "os-server-groups:delete",
    "os-security-groups:change", "os-security-groups:create", "os-security-groups:update", "os-security-groups:delete",
    "os-security-groups:rule:create", "os-security-groups:rule:delete", "os-floating-ips:create", "os-floating-ips:delete",
    "os-floating-ips:add", "os-floating-ips:remove",
)  # fmt: skip
_ADMIN = (
    "os-flavor-manage", "os-flavor-access", "os-flavor-extra-specs:change", "os-services:list", "os-services:update",
    "os-services:delete", "os-hypervisors:list", "os-hypervisors:list-detail", "os-hypervisors:show",
    "os-hypervisors:statistics", "os-hypervisors:uptime", "os-hypervisors:search", "os-hypervisors:servers",
    "os-hosts:list", "os-hosts:show", "os-hosts:update", "os-hosts:startup", "os-hosts:shutdown", "os-hosts:reboot", "os-quota-sets:update", "os-quota-sets:delete", "os-quota-class-sets:show",
    "os-quota-class-sets:update", "os-admin-actions:reset_state", "servers:admin_attributes", "os-availability-zone:detail",
    "os-aggregates:index", "os-aggregates:create", "os-aggregates:show", "os-aggregates:update", "os-aggregates:delete",
    "os-aggregates:add_host", "os-aggregates:remove_host", "os-aggregates:set_metadata", "os-migrations:index",
    "servers:migrations:index", "os-simple-tenant-usage:list", "os-instance-usage-audit-log:list",
    "os-instance-usage-audit-log:show", "os-server-diagnostics", "os-shelve:unshelve_to_host", "os-console-auth-tokens",
)  # fmt: skip

RULES = (
    *(Rule(f"os_compute_api:{name}", _READER) for name in _READ),
    *(Rule(f"os_compute_api:{name}", _MEMBER) for name in _WRITE),
    *(Rule(f"os_compute_api:{name}", ADMIN) for name in _ADMIN),
    Rule("os_compute_api:any_token", ANY_TOKEN),
    Rule("compute:server:topology:index", _READER),
    Rule("os_compute_api:os-server-external-events:create", f"{ADMIN} or role:service"),
    Rule("os_compute_api:os-lock-server:unlock_override", ADMIN),
    Rule("os_compute_api:os-keypairs", f"{ADMIN} or user_id:%(user_id)s"),
)
