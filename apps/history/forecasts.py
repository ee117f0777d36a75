"""Which figures run into a limit, and when: told again every quarter of an hour, kept beside what is known last."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from apps.engine.target import Kind
from apps.history import series
from apps.history.forecast import Forecast, forecast
from apps.history.levels import DAY_S
from apps.history.models import LastKnown
from apps.history.verdict import TRANSACTION_AGE_MOST
from apps.servers.models import Server

SPAN_S = 7 * DAY_S
Figures = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Limited:
    """A figure with a limit. `words` go before "in 2 to 3 days"; a label takes the place of {label}. `kind` None is both."""

    figure: str
    kind: Kind | None = None
    words: str
    limit: Callable[[Server, Figures], float | None]


LIMITED = (
    Limited(
        figure="used_memory_bytes",
        kind=Kind.REDIS,
        words="memory fills",
        limit=lambda server, figures: figures.get("maxmemory_bytes"),
    ),
    Limited(
        figure="clients_count",
        words="connections run out",
        limit=lambda server, figures: figures.get("clients_max_count"),
    ),
    Limited(
        figure="size_bytes",
        kind=Kind.POSTGRES,
        words="disk fills",
        limit=lambda server, figures: server.disk_bytes,
    ),
    Limited(
        figure="transaction_age_count",
        kind=Kind.POSTGRES,
        words="transaction ids run out",
        limit=lambda server, figures: TRANSACTION_AGE_MOST,
    ),
    Limited(
        figure="sequence_ratio",
        kind=Kind.POSTGRES,
        words="sequence {label} runs out",
        limit=lambda server, figures: 1.0,
    ),
)


def told(server: Server, figures: Figures, *, now_s: float) -> Iterator[tuple[str, Forecast, str]]:
    """(figure with its label, forecast, words) of every figure that runs into its limit. Cost: a read of series a figure."""
    begin_s = now_s - SPAN_S
    for limited in LIMITED:
        limit = limited.limit(server, figures) if limited.kind in (None, server.kind) else None
        if not limit:
            continue
        labels = series.labels(server, limited.figure, begin_s=begin_s, end_s=now_s)
        names = {f"{limited.figure}[{label}]" if label else limited.figure: label for label in labels}
        chart = series.read(server, list(names), begin_s=begin_s, end_s=now_s)
        for name, label in names.items():
            found = forecast(chart.at_s, chart.lines[name].mean, limit=limit)
            if found is not None:
                yield name, found, f"{limited.words.format(label=label)} {found.when}"


def foretell(*, now_s: float | None = None) -> int:
    """Tell the forecasts of all servers anew; how many there are. Cost: a few reads and one UPDATE a server."""
    now = time.time() if now_s is None else now_s
    count = 0
    for row in LastKnown.objects.select_related("server").only("server", "figures"):
        found = [
            {"figure": name, "words": words, "at_s": int(now), **asdict(each)}
            for name, each, words in told(row.server, row.figures, now_s=now)
        ]
        LastKnown.objects.filter(pk=row.pk).update(forecasts=found)
        count += len(found)
    return count
