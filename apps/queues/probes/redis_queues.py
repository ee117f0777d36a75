"""Backlogs in a Redis."""

from __future__ import annotations

from apps.engine.contracts.probe import Probe
from apps.engine.target import Kind
from apps.queues.figures import read_figures

PROBE = Probe(
    key="redis_queues",
    kind=Kind.REDIS,
    read=read_figures,
    cost="INFO, and a few round trips for each database and framework; 0.5 s more while its names are first walked",
    every_s=30.0,
    essential=False,
    rates={"queue_arrivals_per_s": "queue_added_total", "queue_departures_per_s": "queue_taken_total"},
)
