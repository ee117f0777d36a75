"""Backlogs in the registered database of a PostgreSQL."""

from __future__ import annotations

from apps.engine.contracts.probe import Probe
from apps.engine.target import Kind
from apps.queues.figures import read_figures

PROBE = Probe(
    key="postgres_queues",
    kind=Kind.POSTGRES,
    read=read_figures,
    cost="the catalogue, and one capped count an outbox table",
    every_s=30.0,
    essential=False,
)
