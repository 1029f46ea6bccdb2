"""ovn-trace's detailed output as data: where the packet is, which flow it meets there, what is done to it.

The format is the one of ovn-trace(8), "Detailed output". What is not known is kept as a plain action, so that a newer
OVN can say more without being misread.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Enter:
    """The packet enters a pipeline of a switch or a router."""

    pipeline: str
    datapath: str
    inport: str
    outport: str = ""

    @property
    def zone(self) -> str:
        """The port whose memory of connections is asked in this pipeline."""
        return self.inport if self.pipeline == "ingress" else self.outport


@dataclass(frozen=True, slots=True)
class Flow:
    """A logical flow that took the packet; without a `uuid` none did, and it ends here."""

    stage: str
    match: str = ""
    uuid: str = ""
    """The first eight digits."""
    actions: list[str] = field(default_factory=list)

    @property
    def drops(self) -> bool:
        return not self.uuid or any(action == "drop;" for action in self.actions)


@dataclass(frozen=True, slots=True)
class Inner:
    """Something is done with the packet or a copy of it: `ct_next`, `ct_snat`, `clone`, `arp`, ..."""

    name: str
    told: str = ""


@dataclass(frozen=True, slots=True)
class Output:
    """The packet leaves the pipeline by a port; OVN's `kind` is empty for a guest's."""

    port: str
    kind: str


@dataclass(frozen=True, slots=True)
class Remark:
    """What ovn-trace remarks beside an action."""

    text: str


Event = Enter | Flow | Inner | Output | Remark

_FLOW = re.compile(
    r"\d+\. (?P<stage>\S+)(?: \([^()]*\))?: (?P<match>.*), priority \d+, uuid (?P<uuid>[0-9a-f]{8})"
)
_NO_FLOW = re.compile(r"\d+\. (?P<stage>\S+?)(?: \([^()]*\))?: no match(?: \(implicit drop\))?")
_OUTPUT = re.compile(r'/\* output to "(?P<port>.*)", type "(?P<kind>.*)" \*/')
_REMARK = re.compile(r"/\* (?P<text>.*?)\.? \*/")
_PIPELINE = re.compile(r"(?P<pipeline>ingress|egress)\((?P<rest>.*)\)")
_PLACE = re.compile(r'(dp|inport|outport)="([^"]*)"')
_INNER = re.compile(r"(?P<name>[a-z_0-9]+?)(?P<rest>(?:in_czone)?(?:\W.*)?)")


def parse(text: str, names: dict[str, str] | None = None) -> list[Event]:
    """Return what ovn-trace says, in its order; `names` are those of datapaths, which it calls by northbound ids.

    Its own friendly names are no use to a program: they shorten ids.
    """
    lines = text.split("\n")
    events: list[Event] = []
    for number, line in enumerate(lines):
        told = line.strip()
        if not told or told.startswith("#") or set(told) == {"-"}:
            continue
        following = lines[number + 1].strip() if number + 1 < len(lines) else ""
        if following and set(following) == {"-"}:
            events.append(_section(told, names or {}))
        else:
            _line(events, told)
    return events


def _section(told: str, names: dict[str, str]) -> Event:
    if found := _PIPELINE.fullmatch(told):
        place = dict(_PLACE.findall(found["rest"]))
        datapath = names.get(place["dp"]) or place["dp"]
        return Enter(found["pipeline"], datapath, place.get("inport", ""), place.get("outport", ""))
    found = _INNER.fullmatch(told)
    return Inner(found["name"], found["rest"]) if found else Inner(told)


def _line(events: list[Event], told: str) -> None:
    if found := _FLOW.fullmatch(told):
        events.append(Flow(found["stage"], found["match"], found["uuid"]))
    elif found := _NO_FLOW.fullmatch(told):
        events.append(Flow(found["stage"]))
    elif found := _OUTPUT.fullmatch(told):
        events.append(Output(found["port"], found["kind"]))
    elif found := _REMARK.fullmatch(told):
        events.append(Remark(found["text"]))
    else:
        flow = next((event for event in reversed(events) if isinstance(event, Flow)), None)
        if flow is not None:
            flow.actions.append(told)
