"""Dataclasses to JSON and back, strictly: for messages between the project's own processes."""

from __future__ import annotations

import types
from dataclasses import MISSING, asdict, fields, is_dataclass
from functools import cache
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

import orjson

T = TypeVar("T")


def dumps(message: Any) -> bytes:
    """Encode a dataclass instance."""
    return orjson.dumps(asdict(message))


def loads(kind: type[T], data: bytes) -> T:
    """Decode into dataclass `kind`; raises ValueError for anything that does not fit it."""
    result: T = build(kind, orjson.loads(data))
    return result


@cache
def _hints(kind: type) -> dict[str, Any]:
    return get_type_hints(kind)


def build(kind: Any, value: Any) -> Any:  # noqa: PLR0911 - one return per kind of type reads best
    """Turn plain JSON data into an instance of the type `kind`."""
    origin, args = get_origin(kind), get_args(kind)
    if kind is Any:
        return value
    if is_dataclass(kind) and isinstance(kind, type):
        if not isinstance(value, dict):
            raise ValueError(f"{kind.__name__}: expected an object, got {value!r:.100}")
        hints = _hints(kind)
        given = {name: build(hints[name], item) for name, item in value.items() if name in hints}
        missing = [
            f.name
            for f in fields(kind)
            if f.name not in given and f.default is MISSING and f.default_factory is MISSING
        ]
        if missing:
            raise ValueError(f"{kind.__name__}: {', '.join(missing)} missing")
        return kind(**given)
    if origin is tuple:
        if len(args) == 2 and args[1] is Ellipsis:
            return tuple(build(args[0], item) for item in value)
        return tuple(build(arg, item) for arg, item in zip(args, value, strict=True))
    if origin is list:
        return [build(args[0], item) for item in value]
    if origin is dict:
        return {key: build(args[1], item) for key, item in value.items()}
    if origin in (Union, types.UnionType):
        if value is None and type(None) in args:
            return None
        return build(next(arg for arg in args if arg is not type(None)), value)
    if origin is Literal:
        if value not in args:
            raise ValueError(f"expected one of {args}, got {value!r:.100}")
        return value
    if kind is float and type(value) is int:
        return float(value)
    if type(value) is not kind:
        raise ValueError(f"expected {kind.__name__}, got {value!r:.100}")
    return value
