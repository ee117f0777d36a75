"""What a backup of each server would need: the server's version against the programs at hand."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from apps.backups.reads.programs import Fit, Program, fit_postgres, fit_redis
from apps.engine.connections.postgres import postgres_node
from apps.engine.connections.redis import redis_node
from apps.engine.errors import EngineError, Unsupported
from apps.engine.target import Kind, Target

AT_ONCE = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Prospect:
    """A server's version and what would fit it; or why the server could not be asked."""

    version_text: str
    fit: Fit | None
    error: EngineError | None


def prospect(target: Target, *, programs: Sequence[Program]) -> Prospect:
    """Whether this machine could back a server up.

    Shape: one Prospect; its error is set instead of raised. Cost: one connection, INFO server or no statement at all.
    Errors: none. Source: INFO server; the version that PostgreSQL says on connecting.
    """
    try:
        return _of_redis(target, programs) if target.kind is Kind.REDIS else _of_postgres(target, programs)
    except EngineError as error:
        return Prospect(version_text="", fit=None, error=error)


def _of_redis(target: Target, programs: Sequence[Program]) -> Prospect:
    with redis_node(target) as node:
        info = bytes(node.command("INFO", "server")).decode("utf-8", "replace")
    for product in ("Valkey", "Redis"):  # a Valkey tells both, its own version and the Redis it is compatible with
        if matched := re.search(rf"^{product.lower()}_version:([\d.]+)", info, re.M):
            version = tuple(int(part) for part in matched[1].split(".") if part)
            fit = fit_redis(programs, version=version, is_valkey=product == "Valkey")
            return Prospect(version_text=f"{product} {matched[1]}", fit=fit, error=None)
    raise Unsupported("The server does not say which version it is.")


def _of_postgres(target: Target, programs: Sequence[Program]) -> Prospect:
    with postgres_node(target) as node:
        fit = fit_postgres(programs, major=node.version)
        return Prospect(version_text=f"PostgreSQL {node.version_text}", fit=fit, error=None)


def prospects(targets: Mapping[str, Target], *, programs: Sequence[Program]) -> dict[str, Prospect]:
    """The same for many, eight at once, so that one that hangs delays no other.

    Shape: one entry a target, by its key. Cost: one connection each. Errors: none. Source: as `prospect`.
    """
    with ThreadPoolExecutor(max_workers=AT_ONCE) as pool:
        return dict(
            zip(targets, pool.map(lambda target: prospect(target, programs=programs), targets.values()), strict=True)
        )
