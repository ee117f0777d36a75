"""The records that the reads of this app give back."""

from __future__ import annotations

from dataclasses import dataclass

from apps.engine.target import Address


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """One node as the asked node sees it. `behind_bytes` and `lag_s` are None for a primary, or when untold."""

    name: str
    role: str
    state: str
    is_well: bool
    behind_bytes: int | None = None
    lag_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """What answers at one address. Text is the server's own and has to be escaped; None is what it did not say."""

    address: Address
    product: str
    version: str
    major: tuple[int, int]
    role: str
    mode: str
    account: str
    tls_version: str
    round_trip_s: float
    up_s: float | None = None
    run_id: str = ""
    replicas_count: int | None = None
    keys_count: int | None = None
    expiring_count: int | None = None
    used_memory_bytes: int | None = None
    maxmemory_bytes: int | None = None
    maxmemory_policy: str = ""
    size_bytes: int | None = None
    database: str = ""
    is_superuser: bool = False
    behind_s: float | None = None
    nodes: tuple[Node, ...] = ()
    note: str = ""
