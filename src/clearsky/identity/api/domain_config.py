"""A domain's own settings, by group and option; and what counts where it has none."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection

from clearsky.api.call import Call, Reply
from clearsky.api.routing import Routes
from clearsky.api.schema import Schema
from clearsky.errors import Forbidden, NotFound
from clearsky.identity import domain_options
from clearsky.identity.api.writing import writing
from clearsky.identity.domain_options import Options
from clearsky.identity.store import domain_option, resource

routes = Routes()
_BODY = Schema(
    {
        "type": "object",
        "properties": {"config": {"type": "object", "minProperties": 1}},
        "required": ["config"],
        "additionalProperties": False,
    }
)
_ALL = "/v3/domains/{domain_id}/config"
_GROUP = "/v3/domains/{domain_id}/config/{group}"
_OPTION = "/v3/domains/{domain_id}/config/{group}/{option}"


def _answer(config: dict[str, Any], *, status: int = 0) -> Reply:
    return Reply({"config": config}, status)


# -- what counts where a domain has nothing ---------------------------------------------------------------------


@routes.get("/v3/domains/config/default", rule="identity:get_domain_config_default", response=_BODY)
def show_defaults(call: Call) -> Reply:
    """Show what counts where a domain has no settings of its own."""
    return _answer(domain_options.defaults(call.house.config))


@routes.get("/v3/domains/config/{group}/default", rule="identity:get_domain_config_default", response=_BODY)
def show_defaults_of_group(call: Call) -> Reply:
    """Show one group of the defaults."""
    group = call.params["group"]
    domain_options.refuse_unknown(call.house.config, group)
    return _answer({group: domain_options.defaults(call.house.config)[group]})


@routes.get(
    "/v3/domains/config/{group}/{option}/default", rule="identity:get_domain_config_default", response=_BODY
)
def show_default(call: Call) -> Reply:
    """Show one default."""
    group, option = call.params["group"], call.params["option"]
    domain_options.refuse_unknown(call.house.config, group, option)
    return _answer({option: domain_options.defaults(call.house.config)[group].get(option)})


# -- a domain's own ---------------------------------------------------------------------------------------------


def _found(call: Call, c: Connection) -> tuple[str, Options, set[tuple[str, str]]]:
    """Return the domain's id, what may be shown of its settings, and what is set; group and option must be known."""
    domain_id = resource.domain(c, call.params["domain_id"]).id
    if group := call.params.get("group", ""):
        domain_options.refuse_unknown(call.house.config, group, call.params.get("option", ""))
    shown, present = domain_option.of_domain(c, domain_id)
    return domain_id, shown, present


def _missing(call: Call) -> NotFound:
    named = "/".join(call.params[name] for name in ("group", "option") if name in call.params)
    what = f" {named}" if named else ""
    return NotFound(f"Could not find{what} in domain configuration for domain {call.params['domain_id']}.")


@routes.get(_ALL, rule="identity:get_domain_config", response=_BODY)
def show_config(call: Call) -> Reply:
    """Show a domain's own settings."""
    with call.house.db.read() as c:
        _, shown, _ = _found(call, c)
    if not shown:
        raise _missing(call)
    return _answer(shown)


@routes.get(_GROUP, rule="identity:any_token", response=_BODY)
def show_group(call: Call) -> Reply:
    """Show one group of a domain's settings; what passwords must be, anybody may know."""
    group = call.params["group"]
    if group == domain_options.COMPLIANCE:
        return _answer({group: _compliance(call)})
    call.authorize("identity:get_domain_config")
    with call.house.db.read() as c:
        _, shown, _ = _found(call, c)
    if group not in shown:
        raise _missing(call)
    return _answer({group: shown[group]})


@routes.get(_OPTION, rule="identity:any_token", response=_BODY)
def show_option(call: Call) -> Reply:
    """Show one of a domain's settings."""
    group, option = call.params["group"], call.params["option"]
    if group == domain_options.COMPLIANCE:
        known = _compliance(call)
        if option not in known:
            raise Forbidden(
                f"Reading security compliance values for any option but {', '.join(known)} is not allowed."
            )
        return _answer({option: known[option]})
    call.authorize("identity:get_domain_config")
    with call.house.db.read() as c:
        _, shown, _ = _found(call, c)
    if option not in shown.get(group, {}):
        raise _missing(call)
    return _answer({option: shown[group][option]})


def _compliance(call: Call) -> dict[str, Any]:
    call.authorize("identity:get_security_compliance_domain_config")
    with call.house.db.read() as c:
        resource.domain(c, call.params["domain_id"])
    if call.params["domain_id"] != "default":
        raise Forbidden(
            "Reading security compliance information for any domain other than the default domain is not allowed."
        )
    return domain_options.compliance(call.house.config)


def _checked(call: Call, options: Options) -> Options:
    for group, values in options.items():
        domain_options.refuse_unknown(call.house.config, group)
        if not isinstance(values, dict) or not values:
            raise Forbidden(
                f"Invalid domain specific configuration: group {group} must be an object with options."
            )
        for option in values:
            domain_options.refuse_unknown(call.house.config, group, option)
    return options


@routes.put(_ALL, rule="identity:create_domain_config", status=201, request=_BODY, response=_BODY)
def create_config(call: Call) -> Reply:
    """Give a domain settings of its own, in place of those that it had."""
    with writing(call) as c:
        domain_id, _, present = _found(call, c)
        options = _checked(call, call.body["config"])
        domain_option.remove(c, domain_id)
        domain_option.put(c, domain_id, options)
        shown, _ = domain_option.of_domain(c, domain_id)
    return _answer(shown, status=200 if present else 201)


def _change(call: Call, options: Options) -> Reply:
    """Set options of groups that the domain has; answer all of its settings."""
    with writing(call) as c:
        domain_id, _, present = _found(call, c)
        checked = _checked(call, options)
        if not {group for group, _ in present} >= {group for group in checked if "group" in call.params}:
            raise _missing(call)
        if "option" in call.params and (call.params["group"], call.params["option"]) not in present:
            raise _missing(call)
        domain_option.put(c, domain_id, checked)
        shown, _ = domain_option.of_domain(c, domain_id)
    return _answer(shown)


@routes.patch(_ALL, rule="identity:update_domain_config", request=_BODY, response=_BODY)
def update_config(call: Call) -> Reply:
    """Change some of a domain's settings."""
    return _change(call, call.body["config"])


@routes.patch(_GROUP, rule="identity:update_domain_config", request=_BODY, response=_BODY)
def update_group(call: Call) -> Reply:
    """Change some settings of one group."""
    group = call.params["group"]
    if set(call.body["config"]) != {group}:
        raise Forbidden(
            f"Invalid domain specific configuration: The config must hold the group of the path, {group}, and no other."
        )
    return _change(call, call.body["config"])


@routes.patch(_OPTION, rule="identity:update_domain_config", request=_BODY, response=_BODY)
def update_option(call: Call) -> Reply:
    """Change one setting."""
    group, option = call.params["group"], call.params["option"]
    if set(call.body["config"]) != {option}:
        raise Forbidden(
            f"Invalid domain specific configuration: The config must hold the option of the path, {option}, and no other."
        )
    return _change(call, {group: call.body["config"]})


def delete_config(call: Call) -> Reply:
    """Take away a domain's own settings, one group of them, or one."""
    group, option = call.params.get("group", ""), call.params.get("option", "")
    with writing(call) as c:
        domain_id, _, present = _found(call, c)
        named = {(g, o) for g, o in present if group in ("", g) and option in ("", o)}
        if not named:
            raise _missing(call)
        domain_option.remove(c, domain_id, group, option)
    return Reply()


for _path in (_ALL, _GROUP, _OPTION):
    routes.delete(_path, rule="identity:delete_domain_config")(delete_config)


def own_list_limit(call: Call) -> int | None:
    """Return how long a list of users or groups of one domain may be; None where the domain does not say."""
    domain_id = call.caller.domain_id or call.query.get("domain_id")
    if not domain_id:
        return None
    with call.house.db.read() as c:
        value = domain_option.value(c, domain_id, "identity", "list_limit")
    return value if type(value) is int and value >= 0 else None
