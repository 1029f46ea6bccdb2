"""JSON Schemas with lifetimes: `since` and `until` (microversions, inclusive) on properties, resolved per version."""

from __future__ import annotations

from typing import Any

import jsonschema_rs

from clearsky.api.microversions import Version
from clearsky.errors import Invalid

LIFETIME = ("since", "until")


class Schema:
    """One request or response body. Compiled once per version at its first use."""

    def __init__(self, definition: dict[str, Any]) -> None:
        self.definition = definition
        self._compiled: dict[Version | None, Any] = {}

    def resolve(self, version: Version | None) -> dict[str, Any]:
        """Return plain JSON Schema for `version` (None: no microversions)."""
        resolved: dict[str, Any] = _resolve(self.definition, version)
        return resolved

    def check(self, body: Any, version: Version | None = None) -> None:
        """Raise Invalid that names the field, its value, and what would be right."""
        problem = self.problem(body, version)
        if problem:
            raise Invalid(problem)

    def problem(self, body: Any, version: Version | None = None) -> str:
        """Return what is wrong with `body`; empty where it fits."""
        if version not in self._compiled:
            self._compiled[version] = jsonschema_rs.validator_for(
                self.resolve(version), validate_formats=True
            )
        error = next(iter(self._compiled[version].iter_errors(body)), None)
        if error is None:
            return ""
        path = "/".join(str(part) for part in error.instance_path)
        value = repr(error.instance)
        shown = value if len(value) <= 120 else value[:117] + "..."
        message = str(error.message)
        if len(message) > 300:
            message = message[:297] + "..."
        return f"Invalid input for field/attribute {path or 'body'}. Value: {shown}. {message}"


def _alive(definition: Any, version: Version | None) -> bool:
    if version is None or not isinstance(definition, dict):
        return True
    since, until = definition.get("since"), definition.get("until")
    return (since is None or since <= version) and (until is None or version <= until)


def _resolve(node: Any, version: Version | None) -> Any:
    if isinstance(node, list):
        return [_resolve(item, version) for item in node if _alive(item, version)]
    if not isinstance(node, dict):
        return node
    result: dict[str, Any] = {}
    for key, value in node.items():
        if key in LIFETIME and isinstance(value, tuple):
            continue
        if key in ("properties", "patternProperties", "$defs") and isinstance(value, dict):
            result[key] = {
                name: _resolve(item, version) for name, item in value.items() if _alive(item, version)
            }
        else:
            result[key] = _resolve(value, version)
    if "required" in result and "properties" in result:
        declared = node["properties"]
        result["required"] = [
            name for name in result["required"] if name in result["properties"] or name not in declared
        ]
    return result
