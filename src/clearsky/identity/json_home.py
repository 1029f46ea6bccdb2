"""JSON home: every resource of the API by its relation, with the template of its path.

The relations are the API's own names; a route that has none here is not in the document.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

_DOCS = "https://docs.openstack.org/api/openstack-identity/3"
_CORE = {
    "auth_catalog": "auth/catalog", "auth_domains": "auth/domains", "auth_projects": "auth/projects",
    "auth_system": "auth/system", "auth_tokens": "auth/tokens",
    "credential": "credentials/{credential_id}", "credentials": "credentials",
    "domain": "domains/{domain_id}", "domains": "domains",
    "domain_config": "domains/{domain_id}/config", "domain_config_group": "domains/{domain_id}/config/{group}",
    "domain_config_option": "domains/{domain_id}/config/{group}/{option}",
    "domain_config_default": "domains/config/default",
    "domain_config_default_group": "domains/config/{group}/default",
    "domain_config_default_option": "domains/config/{group}/{option}/default",
    "domain_group_role": "domains/{domain_id}/groups/{group_id}/roles/{role_id}",
    "domain_group_roles": "domains/{domain_id}/groups/{group_id}/roles",
    "domain_user_role": "domains/{domain_id}/users/{user_id}/roles/{role_id}",
    "domain_user_roles": "domains/{domain_id}/users/{user_id}/roles",
    "endpoint": "endpoints/{endpoint_id}", "endpoints": "endpoints",
    "group": "groups/{group_id}", "groups": "groups",
    "group_user": "groups/{group_id}/users/{user_id}", "group_users": "groups/{group_id}/users",
    "implied_role": "roles/{prior_role_id}/implies/{implied_role_id}", "implied_roles": "roles/{prior_role_id}/implies",
    "limit": "limits/{limit_id}", "limits": "limits", "limit_model": "limits/model",
    "policy": "policies/{policy_id}", "policies": "policies",
    "project": "projects/{project_id}", "projects": "projects",
    "project_group_role": "projects/{project_id}/groups/{group_id}/roles/{role_id}",
    "project_group_roles": "projects/{project_id}/groups/{group_id}/roles",
    "project_tag": "projects/{project_id}/tags/{value}", "project_tags": "projects/{project_id}/tags",
    "project_user_role": "projects/{project_id}/users/{user_id}/roles/{role_id}",
    "project_user_roles": "projects/{project_id}/users/{user_id}/roles",
    "region": "regions/{region_id}", "regions": "regions",
    "registered_limit": "registered_limits/{registered_limit_id}", "registered_limits": "registered_limits",
    "role": "roles/{role_id}", "roles": "roles", "role_assignments": "role_assignments",
    "role_inferences": "role_inferences",
    "service": "services/{service_id}", "services": "services",
    "system_group_role": "system/groups/{group_id}/roles/{role_id}", "system_group_roles": "system/groups/{group_id}/roles",
    "system_user_role": "system/users/{user_id}/roles/{role_id}", "system_user_roles": "system/users/{user_id}/roles",
    "user": "users/{user_id}", "users": "users", "user_change_password": "users/{user_id}/password",
    "user_groups": "users/{user_id}/groups", "user_projects": "users/{user_id}/projects",
    "application_credential": "users/{user_id}/application_credentials/{application_credential_id}",
    "application_credentials": "users/{user_id}/application_credentials",
    "access_rule": "users/{user_id}/access_rules/{access_rule_id}", "access_rules": "users/{user_id}/access_rules",
}  # fmt: skip
_FILTER, _FEDERATION, _POLICY = "OS-EP-FILTER", "OS-FEDERATION", "OS-ENDPOINT-POLICY"
_GROUPING, _PROVIDER = (
    f"{_FILTER}/endpoint_groups/{{endpoint_group_id}}",
    f"{_FEDERATION}/identity_providers/{{idp_id}}",
)
_TOKEN = "users/{user_id}/OS-OAUTH1/access_tokens"
_EXTENSIONS = {
    "OS-EC2": {
        "ec2tokens": "ec2tokens", "user_credential": "users/{user_id}/credentials/OS-EC2/{credential_id}",
        "user_credentials": "users/{user_id}/credentials/OS-EC2",
    },
    "s3tokens": {"s3tokens": "s3tokens"},
    _FILTER: {
        "endpoint_group": _GROUPING, "endpoint_groups": f"{_FILTER}/endpoint_groups",
        "endpoint_group_endpoints": f"{_GROUPING}/endpoints", "endpoint_group_projects": f"{_GROUPING}/projects",
        "endpoint_group_to_project_association": f"{_GROUPING}/projects/{{project_id}}",
        "endpoint_projects": f"{_FILTER}/endpoints/{{endpoint_id}}/projects",
        "project_endpoint": f"{_FILTER}/projects/{{project_id}}/endpoints/{{endpoint_id}}",
        "project_endpoints": f"{_FILTER}/projects/{{project_id}}/endpoints",
        "project_endpoint_groups": f"{_FILTER}/projects/{{project_id}}/endpoint_groups",
    },
    _POLICY: {
        "endpoint_policy": f"endpoints/{{endpoint_id}}/{_POLICY}/policy",
        "endpoint_policy_association": f"policies/{{policy_id}}/{_POLICY}/endpoints/{{endpoint_id}}",
        "policy_endpoints": f"policies/{{policy_id}}/{_POLICY}/endpoints",
        "service_policy_association": f"policies/{{policy_id}}/{_POLICY}/services/{{service_id}}",
        "region_and_service_policy_association":
            f"policies/{{policy_id}}/{_POLICY}/services/{{service_id}}/regions/{{region_id}}",
    },
    "OS-INHERIT": {
        f"{target}_{actor}_role{s}_inherited_to_projects":
            f"OS-INHERIT/{target}s/{{{target}_id}}/{actor}s/{{{actor}_id}}/roles{one}/inherited_to_projects"
        for target in ("domain", "project") for actor in ("user", "group") for s, one in (("", "/{role_id}"), ("s", ""))
    },
    "OS-SIMPLE-CERT": {"ca_certificate": "OS-SIMPLE-CERT/ca", "certificates": "OS-SIMPLE-CERT/certificates"},
    "OS-PKI": {"revocations": "auth/tokens/OS-PKI/revoked"},
    "OS-REVOKE": {"events": "OS-REVOKE/events"},
    "OS-TRUST": {
        "trust": "OS-TRUST/trusts/{trust_id}", "trusts": "OS-TRUST/trusts",
        "trust_role": "OS-TRUST/trusts/{trust_id}/roles/{role_id}", "trust_roles": "OS-TRUST/trusts/{trust_id}/roles",
    },
    "OS-OAUTH1": {
        "consumer": "OS-OAUTH1/consumers/{consumer_id}", "consumers": "OS-OAUTH1/consumers",
        "request_tokens": "OS-OAUTH1/request_token", "access_tokens": "OS-OAUTH1/access_token",
        "authorize_request_token": "OS-OAUTH1/authorize/{request_token_id}",
        "user_access_token": f"{_TOKEN}/{{access_token_id}}", "user_access_tokens": _TOKEN,
        "user_access_token_role": f"{_TOKEN}/{{access_token_id}}/roles/{{role_id}}",
        "user_access_token_roles": f"{_TOKEN}/{{access_token_id}}/roles",
    },
    "OS-OAUTH2": {"token": "OS-OAUTH2/token"},
    _FEDERATION: {
        "identity_provider": _PROVIDER, "identity_providers": f"{_FEDERATION}/identity_providers",
        "identity_provider_protocol": f"{_PROVIDER}/protocols/{{protocol_id}}",
        "identity_provider_protocols": f"{_PROVIDER}/protocols",
        "identity_provider_protocol_auth": f"{_PROVIDER}/protocols/{{protocol_id}}/auth",
        "mapping": f"{_FEDERATION}/mappings/{{mapping_id}}", "mappings": f"{_FEDERATION}/mappings",
        "service_provider": f"{_FEDERATION}/service_providers/{{sp_id}}",
        "service_providers": f"{_FEDERATION}/service_providers",
        "projects": f"{_FEDERATION}/projects", "domains": f"{_FEDERATION}/domains",
        "metadata": f"{_FEDERATION}/saml2/metadata", "saml2": "auth/OS-FEDERATION/saml2",
        "ecp": "auth/OS-FEDERATION/saml2/ecp", "websso": "auth/OS-FEDERATION/websso/{protocol_id}",
        "identity_providers_websso": "auth/OS-FEDERATION/identity_providers/{idp_id}/protocols/{protocol_id}/websso",
    },
}  # fmt: skip
_PARAMETERS = {
    "endpoint_group_id": "ext/OS-EP-FILTER/1.0/param/endpoint_group_id",
    "trust_id": "ext/OS-TRUST/1.0/param/trust_id",
    "consumer_id": "ext/OS-OAUTH1/1.0/param/consumer_id",
    "request_token_id": "ext/OS-OAUTH1/1.0/param/request_token_id",
    "access_token_id": "ext/OS-OAUTH1/1.0/param/access_token_id",
    **{name: f"ext/OS-FEDERATION/1.0/param/{name}" for name in ("idp_id", "protocol_id", "mapping_id", "sp_id")},
    "group": "param/config_group", "option": "param/config_option", "value": "param/tag_value",
}  # fmt: skip
_VARIABLE = re.compile(r"\{(\w+)\}")


def _relations() -> dict[str, str]:
    found = {f"{_DOCS}/rel/{name}": path for name, path in _CORE.items()}
    for extension, relations in _EXTENSIONS.items():
        found |= {f"{_DOCS}/ext/{extension}/1.0/rel/{name}": path for name, path in relations.items()}
    return found


def document(paths: Iterable[str]) -> dict[str, Any]:
    """Return the JSON home document of those resources that one of the routes' paths serves."""
    served = {_VARIABLE.sub("{}", path) for path in paths}
    resources: dict[str, Any] = {}
    for relation, path in _relations().items():
        if _VARIABLE.sub("{}", f"/v3/{path}") not in served:
            continue
        names = _VARIABLE.findall(path)
        if not names:
            resources[relation] = {"href": f"/{path}"}
            continue
        variables = {name: f"{_DOCS}/{_PARAMETERS.get(name, f'param/{name}')}" for name in names}
        resources[relation] = {"href-template": f"/{path}", "href-vars": variables}
    return {"resources": resources}
