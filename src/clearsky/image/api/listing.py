"""The list of images: filters, sorting, paging."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

from clearsky.api.call import Call, Reply
from clearsky.api.routing import Routes
from clearsky.db.paging import limit_of
from clearsky.errors import Invalid, NotFound
from clearsky.image import schema, store
from clearsky.image.api.render import copies, view
from clearsky.image.tables import images

routes = Routes()
SORT_KEYS = ("name", "status", "container_format", "disk_format", "size", "id", "created_at", "updated_at")
_SEVERAL = ("name", "id", "status", "container_format", "disk_format")
"""Take `in:a,b` for one of several values."""
_EXACT = ("owner", "checksum", "os_hash_value")
_NUMBERS = ("size", "virtual_size", "min_disk", "min_ram")
_TIMES = ("created_at", "updated_at")
_COMPARISONS = ("lt", "lte", "gt", "gte", "eq", "neq")
_NOT_FILTERS = ("limit", "marker", "sort", "sort_key", "sort_dir")
_MOST = 2**63 - 1


def _flag(name: str, text: str) -> bool:
    if text.lower() not in ("true", "false"):
        raise Invalid(f"{name}={text!r:.80}: it must be true or false")
    return text.lower() == "true"


def _choice(name: str, text: str, choices: tuple[str, ...]) -> str:
    if text not in choices:
        raise Invalid(f"{name}={text!r:.80}: it must be one of {', '.join(choices)}")
    return text


def _number(name: str, text: str) -> int:
    if not (text.isascii() and text.isdigit()) or int(text[:20]) > _MOST:
        raise Invalid(f"{name}={text!r:.80} is not a whole number of 0 or more")
    return int(text)


def _values(name: str, text: str) -> list[str]:
    """Read `value`, `eq:value` or `in:a,"b,c"`; any other word before a colon belongs to the value itself."""
    operator, colon, rest = text.partition(":")
    if not colon or operator not in ("in", *_COMPARISONS):
        return [text]
    if operator == "eq":
        return [rest]
    if operator != "in":
        raise Invalid(f"{name}={text!r:.80}: only the operators in and eq are possible here")
    return _quoted(name, rest)


def _quoted(name: str, text: str) -> list[str]:
    """Split at commas outside of double quotes; a quote inside of quotes is written with a backslash."""
    found, word, inside, was_quoted, escaped = [], "", False, False, False
    for letter in text:
        if escaped:
            word, escaped = word + letter, False
        elif inside and letter == "\\":
            escaped = True
        elif letter == '"':
            if not inside and word:
                raise Invalid(f"{name}=in:{text!r:.200}: a quote stands in the middle of a value")
            inside, was_quoted = not inside, True
        elif letter == "," and not inside:
            found.append(word)
            word, was_quoted = "", False
        elif was_quoted and not inside:
            raise Invalid(f"{name}=in:{text!r:.200}: a comma must follow a closing quote")
        else:
            word += letter
    if inside:
        raise Invalid(f"{name}=in:{text!r:.200}: a quote is not closed")
    return [*found, word]


def _moment(name: str, text: str) -> tuple[str, str, float]:
    operator, colon, value = text.partition(":")
    if not colon or not operator.isalpha():
        operator, value = "eq", text
    if operator not in _COMPARISONS:
        raise Invalid(f"{name}={text!r:.80}: the comparison must be one of {', '.join(_COMPARISONS)}")
    try:
        moment = datetime.fromisoformat(value.replace(" ", "+"))
        seconds = moment.replace(tzinfo=moment.tzinfo or UTC).timestamp()
    except (ValueError, OverflowError) as error:
        raise Invalid(f"{name}={text!r:.80} holds no time such as gt:2026-01-31T12:00:00Z") from error
    return name, operator, seconds


def _wanted(call: Call) -> store.Wanted:
    wanted = store.Wanted()
    for name, text in call.query.multi_items():
        if name in _NOT_FILTERS:
            continue
        if name == "visibility":
            wanted.visibility = _choice(name, text, (*schema.VISIBILITIES, "all"))
        elif name == "member_status":
            wanted.member_status = _choice(name, text, ("pending", "accepted", "rejected", "all"))
        elif name == "os_hidden":
            wanted.hidden = _flag(name, text)
        elif name == "protected":
            wanted.among[name] = [_flag(name, text)]
        elif name == "tag":
            wanted.tags.append(text.strip())
        elif name in _TIMES:
            wanted.moments.append(_moment(name, text))
        elif name in _SEVERAL or name in _EXACT:
            wanted.among[name] = _values(name, text) if name in _SEVERAL else [text]
        elif name == "changes-since":
            raise Invalid("changes-since is no filter of this version; updated_at=gt:TIME is")
        else:
            _number_or_property(wanted, name, text)
    return wanted


def _number_or_property(wanted: store.Wanted, name: str, text: str) -> None:
    column, _, end = name.rpartition("_")
    if name in _NUMBERS:
        wanted.among[name] = [_number(name, text)]
    elif column in _NUMBERS and end in ("min", "max"):
        (wanted.at_least if end == "min" else wanted.at_most)[column] = _number(name, text)
    else:
        wanted.properties.append((name, text))


def _sort(call: Call) -> list[tuple[Any, bool]]:
    """Read `sort=key:way,...` or pairs of sort_key and sort_dir; newest first, and always a unique order."""
    query = call.query
    if "sort" in query:
        if "sort_key" in query or "sort_dir" in query:
            raise Invalid("Give either sort, or sort_key and sort_dir.")
        split = [part.partition(":")[::2] for part in query["sort"].split(",")]
        pairs = [(key.strip(), way.strip() or "desc") for key, way in split]
        default = pairs[0][1] if len(pairs) == 1 else "desc"
    else:
        keys, ways = query.getlist("sort_key") or ["created_at"], query.getlist("sort_dir") or ["desc"]
        if len(ways) not in (1, len(keys)):
            raise Invalid(
                f"There are {len(keys)} sort_key and {len(ways)} sort_dir: give one, or one for each key"
            )
        default = ways[0] if len(ways) == 1 else "desc"
        pairs = list(zip(keys, ways if len(ways) == len(keys) else ways * len(keys), strict=True))
    for key, way in pairs:
        _choice("sort", key, SORT_KEYS)
        _choice(f"sort of {key}", way, ("asc", "desc"))
    pairs += [(key, default) for key in ("created_at", "id") if key not in (key for key, _ in pairs)]
    return [(images.c[key], way == "asc") for key, way in pairs]


@routes.get("/v2/images", rule="get_images", response=schema.INDEX)
def list_images(call: Call) -> Reply:
    """List images by any attribute, custom property or tag."""
    limit = limit_of(call.query.get("limit"), call.house.config.api.page_limit)
    wanted, sort, marker = _wanted(call), _sort(call), None
    with call.house.db.read() as c:
        if "marker" in call.query:
            try:
                marker = store.get(c, call.scope, call.query["marker"])
            except NotFound as error:
                raise Invalid(f"marker={call.query['marker']!r:.80} is no image that you can see") from error
        rows = store.search(c, call.caller, wanted, sort, marker, limit)
        places = copies(c, call, rows)
    rest = [pair for pair in call.query.multi_items() if pair[0] != "marker"]
    body: dict[str, Any] = {
        "images": [view(call, row, places.get(row.id, ())) for row in rows],
        "schema": "/v2/schemas/images",
    }
    body["first"] = f"/v2/images?{urlencode(rest)}" if rest else "/v2/images"
    if rows and len(rows) == limit:
        body["next"] = f"/v2/images?{urlencode([*rest, ('marker', rows[-1].id)])}"
    return Reply(body)
