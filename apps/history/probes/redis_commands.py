"""What a Redis node does all day: calls and time by command, and what it refused."""

from __future__ import annotations

from collections.abc import Mapping

from apps.engine.connections.redis import redis_node
from apps.engine.contracts.probe import Probe, Value
from apps.engine.target import Kind, Target
from apps.history.answers import labelled
from apps.history.info import number, pairs, parsed

MOST_COMMANDS = 40
MOST_ERRORS = 20


def read(target: Target) -> Mapping[str, Value]:
    """Shape: calls and time of the 40 commands that took most time so far, failed and rejected calls of all, errors by code.

    Units: calls, seconds of the server's main thread, both since the start or CONFIG RESETSTAT. Cost: one round trip of three
    commands, about 0.2 ms of the server. Errors: those of redis_node; NotPermitted without +info. Source: INFO commandstats,
    INFO errorstats (6.2; no errors before). Failed and rejected calls are told from 6.2 on.
    """
    with redis_node(target) as node:
        server, commands, errors = map(parsed, node.replies([("INFO", part) for part in PARTS]))
    return {
        "run": server.get("run_id"),
        **_commands(_lines(commands, "cmdstat_")),
        **_errors(_lines(errors, "errorstat_")),
    }


PARTS = ("server", "commandstats", "errorstats")


def _lines(info: Mapping[str, str], head: str) -> dict[str, dict[str, str]]:
    return {name.removeprefix(head): pairs(value) for name, value in info.items() if name.startswith(head)}


def _commands(lines: Mapping[str, Mapping[str, str]]) -> dict[str, Value]:
    busiest = sorted(lines, key=lambda name: -(number(lines[name], "usec") or 0))[:MOST_COMMANDS]
    found: dict[str, Value] = {
        "failed_calls_total": _sum(lines, "failed_calls"),
        "rejected_calls_total": _sum(lines, "rejected_calls"),
    }
    for name in busiest:
        found[labelled("calls_total", name)] = number(lines[name], "calls")
        found[labelled("busy_total_s", name)] = (number(lines[name], "usec") or 0) / 1e6
    return found


def _sum(lines: Mapping[str, Mapping[str, str]], word: str) -> float | None:
    known = [value for line in lines.values() if (value := number(line, word)) is not None]
    return sum(known) if known else None


def _errors(lines: Mapping[str, Mapping[str, str]]) -> dict[str, Value]:
    """A script may answer with any code, so there may be many."""
    counts = {code: number(line, "count") or 0 for code, line in lines.items()}
    commonest = sorted(counts, key=lambda code: -counts[code])[:MOST_ERRORS]
    return {labelled("errors_total", code): counts[code] for code in commonest}


PROBE = Probe(
    key="redis_commands",
    kind=Kind.REDIS,
    read=read,
    cost="one round trip, about 0.2 ms of the server",
    every_s=60.0,
    essential=False,
    per_node=True,
    identity="run",
    rates={
        "calls_per_s": "calls_total",
        "busy_ratio": "busy_total_s",
        "failed_calls_per_s": "failed_calls_total",
        "rejected_calls_per_s": "rejected_calls_total",
        "errors_per_s": "errors_total",
    },
)
