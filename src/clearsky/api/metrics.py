"""What Prometheus reads at /metrics."""

from __future__ import annotations

from collections.abc import Iterable

from prometheus_client import CollectorRegistry, Gauge, Histogram, generate_latest
from prometheus_client.process_collector import ProcessCollector

registry = CollectorRegistry()
ProcessCollector(registry=registry)
_requests = Histogram(
    "clearsky_request_seconds",
    "Time to answer a request",
    ["service", "method", "route", "status"],
    registry=registry,
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5),
)


def observe(service: str, method: str, route: str, status: int, seconds: float) -> None:
    """Count one answered request."""
    known = method if method in {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"} else "other"
    _requests.labels(service, known, route, str(status)).observe(seconds)


def render(gauges: Iterable[tuple[str, str, float]] = ()) -> bytes:
    """Return everything as text; `gauges` are (name, what it is, value) at this moment."""
    momentary = CollectorRegistry()
    for name, what, value in gauges:
        Gauge(name, what, registry=momentary).set(value)
    return generate_latest(registry) + generate_latest(momentary)
