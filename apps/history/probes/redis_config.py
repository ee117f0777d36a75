"""The settings of a Redis node, to notice when one is changed."""

from __future__ import annotations

from collections.abc import Mapping

from apps.engine.connections.redis import redis_node
from apps.engine.contracts.probe import Probe, Value
from apps.engine.target import Kind, Target
from apps.engine.text import plain
from apps.history.settings_seen import MOST_SETTINGS, kept


def read(target: Target) -> Mapping[str, Value]:
    """Shape: every setting by its name, as text; of secrets only whether they are set and a digest that tells a change.

    Cost: one round trip, about 0.1 ms of the server and 8 kB. Errors: those of redis_node; NotPermitted without +config|get,
    CommandFailed where a provider took CONFIG away. Source: CONFIG GET *.
    """
    with redis_node(target) as node:
        words = node.command("CONFIG", "GET", "*")
    settings = {plain(name, most=100): value for name, value in zip(words[::2], words[1::2], strict=False)}
    return {name: kept(name, settings[name]) for name in _once(settings)[:MOST_SETTINGS]}


def _once(names: Mapping[str, bytes]) -> list[str]:
    """Without the old name of a setting that is told by its new one too: slave-priority is replica-priority."""
    return [name for name in names if "slave" not in name or name.replace("slave", "replica") not in names]


PROBE = Probe(
    key="redis_config",
    kind=Kind.REDIS,
    read=read,
    cost="one round trip, about 0.1 ms of the server",
    every_s=300.0,
    essential=False,
    configuration=True,
)
