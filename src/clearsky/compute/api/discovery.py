"""Version documents and the list of extensions."""

from __future__ import annotations

from typing import Any

from clearsky.api.call import Call, Reply
from clearsky.api.microversions import text
from clearsky.api.routing import PUBLIC, Routes
from clearsky.compute.schema.servers import holding
from clearsky.compute.versions import MICROVERSIONS
from clearsky.errors import NotFound

routes = Routes()
_UPDATED = {"v2.0": "2011-01-21T11:33:21Z", "v2.1": "2013-07-23T11:33:21Z"}


def _version(call: Call, id: str) -> dict[str, Any]:
    newest = id == "v2.1"
    path = "v2.1" if newest else "v2"
    return {
        "id": id,
        "status": "CURRENT" if newest else "SUPPORTED",
        "version": text(MICROVERSIONS.maximum) if newest else "",
        "min_version": text(MICROVERSIONS.minimum) if newest else "",
        "updated": _UPDATED[id],
        "links": [{"rel": "self", "href": f"{call.base_url}/{path}/"}],
    }


def _whole(call: Call, id: str) -> Reply:
    number = "2.1" if id == "v2.1" else "2"
    kind = {"base": "application/json", "type": f"application/vnd.openstack.compute+json;version={number}"}
    shown = _version(call, id)
    docs = {"href": "https://docs.openstack.org/", "rel": "describedby", "type": "text/html"}
    return Reply({"version": shown | {"links": [*shown["links"], docs], "media-types": [kind]}})


@routes.get("", rule=PUBLIC)
def list_versions(call: Call) -> Reply:
    """List the versions of the Compute API."""
    return Reply({"versions": [_version(call, "v2.0"), _version(call, "v2.1")]})


@routes.get("/v2.1", rule=PUBLIC)
def show_version(call: Call) -> Reply:
    """Describe version 2.1."""
    return _whole(call, "v2.1")


@routes.get("/v2", rule=PUBLIC)
def show_version_2(call: Call) -> Reply:
    """Describe version 2: 2.1 without microversions."""
    return _whole(call, "v2.0")


_EXTENSIONS = (
    ("NMN", "Multinic"), ("OS-DCF", "DiskConfig"), ("OS-EXT-AZ", "ExtendedAvailabilityZone"),
    ("OS-EXT-IPS", "ExtendedIps"), ("OS-EXT-IPS-MAC", "ExtendedIpsMac"), ("OS-EXT-SRV-ATTR", "ExtendedServerAttributes"),
    ("OS-EXT-STS", "ExtendedStatus"), ("OS-FLV-DISABLED", "FlavorDisabled"), ("OS-FLV-EXT-DATA", "FlavorExtraData"),
    ("OS-SCH-HNT", "SchedulerHints"), ("OS-SRV-USG", "ServerUsage"), ("os-admin-actions", "AdminActions"),
    ("os-aggregates", "Aggregates"), ("os-attach-interfaces", "AttachInterfaces"), ("os-availability-zone", "AvailabilityZone"),
    ("os-config-drive", "ConfigDrive"), ("os-console-auth-tokens", "ConsoleAuthTokens"), ("os-console-output", "ConsoleOutput"),
    ("os-consoles", "Consoles"), ("os-create-backup", "CreateBackup"),
    ("os-extended-quotas", "ExtendedQuotas"), ("os-flavor-access", "FlavorAccess"), ("os-flavor-extra-specs", "FlavorExtraSpecs"),
    ("os-flavor-manage", "FlavorManage"), ("os-flavor-rxtx", "FlavorRxtx"), ("os-floating-ip-pools", "FloatingIpPools"),
    ("os-floating-ips", "FloatingIps"), ("os-hosts", "Hosts"), ("os-hypervisors", "Hypervisors"),
    ("os-instance-actions", "InstanceActions"), ("os-instance_usage_audit_log", "OSInstanceUsageAuditLog"),
    ("os-keypairs", "Keypairs"), ("os-migrations", "Migrations"), ("os-multiple-create", "MultipleCreate"),
    ("os-networks", "Networks"), ("os-quota-class-sets", "QuotaClasses"), ("os-quota-sets", "Quotas"), ("os-rescue", "Rescue"),
    ("os-security-groups", "SecurityGroups"), ("os-server-diagnostics", "ServerDiagnostics"),
    ("os-server-external-events", "ServerExternalEvents"), ("os-server-groups", "ServerGroups"),
    ("os-server-password", "ServerPassword"), ("os-server-sort-keys", "ServerSortKeys"), ("os-services", "Services"),
    ("os-shelve", "Shelve"), ("os-simple-tenant-usage", "SimpleTenantUsage"), ("os-tenant-networks", "TenantNetworks"),
    ("os-used-limits", "UsedLimits"), ("os-user-data", "UserData"),
)  # fmt: skip
"""What was once optional and is served here; since then every client knows it by the microversion."""


def _extension(alias: str, name: str) -> dict[str, Any]:
    namespace = "http://docs.openstack.org/compute/ext/fake_xml"
    shown = {"alias": alias, "name": name, "description": "", "namespace": namespace}
    return shown | {"links": [], "updated": "2014-12-03T00:00:00Z"}


@routes.get("/v2.1/extensions", rule="os_compute_api:any_token", response=holding("extensions"))
def list_extensions(call: Call) -> Reply:
    """List what is served, by the names that extensions once had."""
    return Reply({"extensions": [_extension(*one) for one in _EXTENSIONS]})


@routes.get("/v2.1/extensions/{alias}", rule="os_compute_api:any_token", response=holding("extension"))
def show_extension(call: Call) -> Reply:
    """Show one of them."""
    for alias, name in _EXTENSIONS:
        if alias == call.params["alias"]:
            return Reply({"extension": _extension(alias, name)})
    raise NotFound(f"There is no extension {call.params['alias']!r:.80}.")
