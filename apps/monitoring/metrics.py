"""What Prometheus may collect: the console's requests, its dependencies, and the last sample of every server."""

from __future__ import annotations

import os
from collections.abc import Iterable

from django.utils import timezone
from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import REGISTRY, Collector

from apps.history.models import LastKnown
from apps.monitoring.reads import dependencies
from apps.operations import outbox
from apps.operations.models import ChainCheck

REQUESTS = Counter("signalbox_requests_total", "Requests by route, method and status.", ["route", "method", "status"])
SECONDS = Histogram(
    "signalbox_request_seconds",
    "Time to answer, by route.",
    ["route"],
    buckets=(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)


class _State(Collector):
    """Read at the moment of the scrape; four queries and the dependencies' own checks."""

    def collect(self) -> Iterable[Metric]:
        yield from _dependency_metrics()
        yield from _message_metrics()
        yield from _audit_metrics()
        yield from _server_metrics()


def _dependency_metrics() -> Iterable[Metric]:
    up = GaugeMetricFamily(
        "signalbox_dependency_up", "Whether a dependency of the console answers.", labels=["dependency"]
    )
    latency = GaugeMetricFamily("signalbox_dependency_latency_seconds", "How long it took.", labels=["dependency"])
    for dependency in dependencies():
        up.add_metric([dependency.name], float(dependency.ok))
        latency.add_metric([dependency.name], dependency.latency_s)
    yield up
    yield latency


def _message_metrics() -> Iterable[Metric]:
    by_state = GaugeMetricFamily("signalbox_messages", "Messages to people, by state.", labels=["state"])
    for state, number in outbox.counts().items():
        by_state.add_metric([state], number)
    yield by_state


def _audit_metrics() -> Iterable[Metric]:
    """Nothing before the first check: a chain that was never walked is neither whole nor broken."""
    check = ChainCheck.objects.first()
    if check is not None:
        yield GaugeMetricFamily(
            "signalbox_audit_unbroken", "Whether the last walk over the audit found nothing wrong.", not check.problem
        )
        age_s = (timezone.now() - check.at).total_seconds()
        yield GaugeMetricFamily("signalbox_audit_check_age_seconds", "Age of that walk.", age_s)


def _server_metrics() -> Iterable[Metric]:
    labels = ["server", "kind", "environment"]
    up = GaugeMetricFamily("signalbox_server_up", "Whether the last sample of a server succeeded.", labels=labels)
    age = GaugeMetricFamily("signalbox_sample_age_seconds", "Age of a server's figures.", labels=labels)
    figure = GaugeMetricFamily(
        "signalbox_server_figure", "The last known figures, named with their unit.", labels=[*labels, "figure"]
    )
    for row in LastKnown.objects.select_related("server"):
        values = [row.server.key, row.server.kind, row.server.environment]
        up.add_metric(values, float(row.failing_since is None))
        if row.figures_at:
            age.add_metric(values, (timezone.now() - row.figures_at).total_seconds())
        for name, value in row.figures.items():
            if isinstance(value, int | float) and not isinstance(value, bool):
                figure.add_metric([*values, name], float(value))
    yield from (up, age, figure)


def exposition() -> bytes:
    """All metrics in the text format. Web processes share theirs through PROMETHEUS_MULTIPROC_DIR, when it is set."""
    registry = CollectorRegistry()
    registry.register(_State())
    if os.environ.get("PROMETHEUS_MULTIPROC_DIR"):
        MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
        return generate_latest(registry)
    return generate_latest(registry) + generate_latest(REGISTRY)
