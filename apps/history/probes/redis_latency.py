"""How long a Redis node takes to answer, seen from here: the network, its queue of commands and the machine together."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from statistics import median

from apps.engine.connections.redis import RedisNode, redis_node
from apps.engine.contracts.probe import Probe, Value
from apps.engine.target import Kind, Target

TRIPS = 10
ENOUGH_S = 1.0


def read(target: Target) -> Mapping[str, Value]:
    """Shape: the median and the longest of ten round trips, one after the other. Units: seconds.

    Cost: ten PINGs, about 1 ms on a local network; none begins after a second. Errors: those of redis_node. Source: PING.
    """
    with redis_node(target) as node:
        trips_s = list(_trips_s(node))
    return {"trip_p50_s": median(trips_s), "trip_most_s": max(trips_s)}


def _trips_s(node: RedisNode) -> Iterator[float]:
    first = time.perf_counter()
    for _ in range(TRIPS):
        begun = time.perf_counter()
        node.command("PING")
        ended = time.perf_counter()
        yield ended - begun
        if ended - first > ENOUGH_S:
            return


PROBE = Probe(
    key="redis_latency",
    kind=Kind.REDIS,
    read=read,
    cost="ten round trips, about 1 ms",
    essential=False,
    per_node=True,
)
