"""Which charts a server's page has, by its kind and what it is for: a table."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from apps.engine.contracts.probe import bare, label_of
from apps.history import verdict
from apps.history.verdict import Finding
from apps.monitoring.measures import Measure
from apps.servers.models import Server, WorkloadRole

Rule = Callable[[Mapping[str, Any]], Iterator[Finding]]
MOST_LABELS = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """One line: a figure, its name in the legend, its place among the series' colours (1 to 6)."""

    figure: str
    title: str = ""
    colour: int = 1
    dashed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Spec:
    """One chart. Where none of `curves` was ever seen, `otherwise` is drawn; `by_label` draws the largest labels of a figure.

    `present` is the figure in its head, by default the first curve's. `limit` is a figure or a number.
    `from_zero` keeps 0 on the axis. `rule` tells whether the present figure is well; `absent` why there may be none.
    """

    key: str
    title: str
    measure: Measure
    curves: tuple[Curve, ...] = ()
    otherwise: tuple[Curve, ...] = ()
    by_label: str = ""
    present: str = ""
    limit: str | float | None = None
    from_zero: bool = True
    filled: bool = False
    rule: Rule | None = None
    absent: str = "The server does not say."
    note: Callable[[Mapping[str, Any]], str] = field(default=lambda figures: "")

    def limit_of(self, figures: Mapping[str, Any]) -> float | None:
        """None without a limit: a maxmemory of 0 is none."""
        limit = figures.get(self.limit) if isinstance(self.limit, str) else self.limit
        return float(limit) if isinstance(limit, int | float) and limit else None

    def present_of(self, figures: Mapping[str, Any], drawn: Sequence[Curve]) -> float | None:
        """The figure of the head: of labelled ones the sum of what is counted, the longest of what lasts."""
        if self.by_label:
            found = [v for n, v in figures.items() if bare(n) == self.by_label and isinstance(v, int | float)]
            return (sum(found) if self.measure is Measure.COUNT else max(found)) if found else None
        names = (self.present, *(curve.figure for curve in drawn[:1]))
        return next((figures[name] for name in names if isinstance(figures.get(name), int | float)), None)


def _policy(figures: Mapping[str, Any]) -> str:
    return f"policy {figures['eviction']}" if figures.get("eviction") else ""


REDIS = (
    Spec(
        key="memory",
        title="Memory",
        measure=Measure.MEMORY,
        curves=(Curve(figure="used_memory_bytes", title="used"),),
        limit="maxmemory_bytes",
        from_zero=False,
        rule=verdict.memory,
    ),
    Spec(
        key="operations",
        title="Operations",
        measure=Measure.RATE,
        curves=(Curve(figure="ops_per_s", title="commands"),),
        filled=True,
    ),
    Spec(
        key="hits",
        title="Hits",
        measure=Measure.SHARE,
        curves=(Curve(figure="hit_ratio", title="hits of reads", colour=3),),
        from_zero=False,
        absent="No reads between the last two samples.",
    ),
    Spec(
        key="clients",
        title="Clients",
        measure=Measure.COUNT,
        curves=(Curve(figure="clients_count", title="clients", colour=4),),
        limit="clients_max_count",
        rule=verdict.connections,
    ),
    Spec(
        key="trip",
        title="Round trip",
        measure=Measure.DURATION,
        curves=(
            Curve(figure="trip_p50_s", title="median", colour=2),
            Curve(figure="trip_most_s", title="slowest", colour=6, dashed=True),
        ),
        otherwise=(Curve(figure="latency_s", title="round trip", colour=2),),
        limit=verdict.ROUND_TRIP_WARN_S,
        rule=verdict.round_trip,
    ),
    Spec(
        key="evictions",
        title="Evictions",
        measure=Measure.RATE,
        curves=(Curve(figure="evicted_per_s", title="evicted", colour=5),),
        note=_policy,
    ),
)
POSTGRES = (
    Spec(
        key="connections",
        title="Connections",
        measure=Measure.COUNT,
        curves=(
            Curve(figure="clients_by_state_count[idle]", title="idle", colour=6, dashed=True),
            Curve(figure="clients_by_state_count[active]", title="active", colour=3),
            Curve(figure="clients_by_state_count[waiting for a lock]", title="waiting", colour=2),
            Curve(figure="clients_by_state_count[idle in transaction]", title="idle in tx", colour=4),
        ),
        otherwise=(Curve(figure="clients_count", title="connections", colour=3),),
        present="clients_count",
        limit="clients_max_count",
        rule=verdict.connections,
    ),
    Spec(
        key="transactions",
        title="Transactions",
        measure=Measure.RATE,
        curves=(Curve(figure="tx_per_s", title="transactions"),),
        filled=True,
    ),
    Spec(
        key="hits",
        title="Found in memory",
        measure=Measure.SHARE,
        curves=(Curve(figure="hit_ratio", title="blocks found", colour=3),),
        from_zero=False,
        absent="No block was read between the last two samples.",
    ),
    Spec(
        key="wal",
        title="WAL written",
        measure=Measure.FLOW,
        curves=(Curve(figure="wal_bytes_per_s", title="WAL", colour=5),),
    ),
    Spec(
        key="lag",
        title="Lag of replicas",
        measure=Measure.DURATION,
        curves=(Curve(figure="replica_lag_s", title="slowest replica", colour=4),),
        limit=verdict.LAG_WARN_S,
        rule=verdict.replication,
        absent="No replica is connected.",
    ),
    Spec(
        key="longest",
        title="Longest transaction",
        measure=Measure.DURATION,
        curves=(Curve(figure="longest_transaction_s", title="open", colour=2),),
        limit=verdict.TRANSACTION_WARN_S,
        rule=verdict.transactions,
        filled=True,
        absent="No transaction is open.",
    ),
)
REPLICA = Spec(
    key="lag",
    title="Lag",
    measure=Measure.DURATION,
    curves=(Curve(figure="replica_lag_s", title="lag", colour=4),),
    limit=verdict.LAG_WARN_S,
    rule=verdict.replication,
    absent="It follows nobody, or does not say.",
)
QUEUES = (
    Spec(
        key="depth",
        title="Waiting in queues",
        measure=Measure.COUNT,
        by_label="queue_depth_count",
        absent="No queue was found.",
    ),
    Spec(
        key="oldest",
        title="Oldest job",
        measure=Measure.DURATION,
        by_label="queue_oldest_s",
        absent="No queue tells how long its jobs wait.",
    ),
)
HOLD_QUEUES = {WorkloadRole.QUEUE, WorkloadRole.STREAM}


def charts_of(server: Server, figures: Mapping[str, Any]) -> tuple[Spec, ...]:
    """The charts of a server: six by its kind, those of queues where it is for that, the lag where there is a replica."""
    kind = REDIS if server.is_redis else POSTGRES
    queues = QUEUES if HOLD_QUEUES & set(server.roles) else ()
    replicates = figures.get("role") == "replica" or figures.get("connected_replicas_count")
    lag = (REPLICA,) if server.is_redis and replicates else ()
    return (*kind, *queues, *lag)


def largest(last_values: Mapping[str, float]) -> tuple[Curve, ...]:
    """The labels with the largest values, one curve each, in the order of the series' colours."""
    names = sorted(last_values, key=lambda name: (-last_values[name], name))[:MOST_LABELS]
    return tuple(
        Curve(figure=name, title=label_of(name), colour=number, dashed=number % 2 == 0)
        for number, name in enumerate(names, start=1)
    )
