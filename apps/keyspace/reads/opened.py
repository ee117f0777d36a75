"""One key, opened: its facts and one page of what it holds."""

from __future__ import annotations

from dataclasses import dataclass

from apps.engine.connections.redis import redis_node
from apps.engine.errors import EngineError, Unreachable
from apps.engine.target import Target
from apps.keyspace.reads.contents import Contents, Page, contents
from apps.keyspace.reads.facts import KeyFacts, facts


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenedKey:
    """`contents` is None for a type that is not read, and where `error` tells why the value could not be."""

    facts: KeyFacts
    contents: Contents | None
    error: EngineError | None
    commands_count: int


def open_key(target: Target, *, name: bytes, page: Page) -> OpenedKey:
    """One key of the target's database on the target's first address.

    Shape: OpenedKey. Units and cost: those of `facts` and `contents`, ten commands in about four round trips.
    Errors: Gone when there is no such key; NotPermitted without +type; a value that may not be read costs its panel only.
    Source: see `facts` and `contents`.
    """
    with redis_node(target) as node:
        known = facts(node, name)
        try:
            held, error = contents(node, known, page), None
        except Unreachable:
            raise
        except EngineError as refused:
            held, error = None, refused
        return OpenedKey(facts=known, contents=held, error=error, commands_count=node.sent)
