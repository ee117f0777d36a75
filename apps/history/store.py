"""Samples written and packed. The other half, reading them, is `series`."""

from __future__ import annotations

import hashlib
import json
import time
from array import array
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from apps.engine.contracts.probe import Value
from apps.history import partitions
from apps.history.levels import DAY_S, RAW, Level
from apps.history.models import Held, Layout, Sample, Source
from apps.servers.models import Server

BATCH = 500
Packed: TypeAlias = bytes | memoryview
FLOAT_MOST = 3.4e38


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What one probe saw of one node at one moment (`at_s`: seconds since 1970)."""

    server: Server
    node: str
    probe: str
    at_s: int
    figures: Mapping[str, Value]


def keep(seen: Iterable[Seen]) -> int:
    """Write raw samples; texts are left out. Returns how many. Cost: one INSERT for 500, and a query or two for a new source or layout.

    A moment that is kept already stays as it is: after a step back of the clock the first one seen counts.
    """
    rows = [row for each in seen if (row := _row(each)) is not None]
    write(RAW, rows)
    return len(rows)


def _row(seen: Seen) -> Sample | None:
    numbers = {n: float(v) for n, v in sorted(seen.figures.items()) if isinstance(v, int | float) and _fits(v)}
    if not numbers:
        return None
    source_id = source_of(seen.server.pk, seen.node, seen.probe)
    layout_id = layout_of(tuple(numbers))
    _hold(source_id, layout_id, seen.at_s)
    return RAW.model(
        source_id=source_id, at_s=seen.at_s, layout_id=layout_id, packed=array("f", numbers.values()).tobytes()
    )


def _fits(value: float) -> bool:
    return abs(value) < FLOAT_MOST


def write(level: Level, rows: Sequence[Sample], *, again: bool = False) -> None:
    """Insert rows of a level; `again` replaces those that are there (a window that is rolled up once more)."""
    if not rows:
        return
    moments = [row.at_s for row in rows]
    partitions.ensure(level, from_s=min(moments), to_s=max(moments))
    if again:
        level.rows.bulk_create(
            rows,
            batch_size=BATCH,
            update_conflicts=True,
            unique_fields=["source_id", "at_s"],
            update_fields=["layout_id", "packed"],
        )
    else:
        level.rows.bulk_create(rows, batch_size=BATCH, ignore_conflicts=True)


# -- sources and layouts: small tables, remembered by every process ----------------------------------------------------

_sources: dict[tuple[int, str, str], int] = {}
_layouts: dict[tuple[str, ...], tuple[int, int]] = {}  # id, the day it was noted as used
_names: dict[int, tuple[str, ...]] = {}
_held: dict[int, int] = {}


def source_of(server_id: int, node: str, probe: str) -> int:
    key = (server_id, node, probe)
    if key not in _sources:
        _sources[key] = Source.objects.get_or_create(server_id=server_id, node=node, probe=probe)[0].pk
    return _sources[key]


def layout_of(names: tuple[str, ...]) -> int:
    """The id of the layout with these names, made when it is new. Cost: a query or two, once a process and day."""
    today_s = int(time.time()) // DAY_S * DAY_S
    found = _layouts.get(names)
    if found is None or found[1] < today_s:
        digest = hashlib.sha256(json.dumps(names).encode()).hexdigest()
        layout, is_new = Layout.objects.get_or_create(digest=digest, defaults={"names": names, "used_s": today_s})
        if not is_new and layout.used_s < today_s:
            Layout.objects.filter(pk=layout.pk).update(used_s=today_s)
        found = _layouts[names] = (layout.pk, today_s)
    return found[0]


def names_of(layout_id: int) -> tuple[str, ...]:
    """The figures of a layout, in the order in which samples hold them. Cost: one query, once a process."""
    if layout_id not in _names:
        _names[layout_id] = tuple(Layout.objects.values_list("names", flat=True).get(pk=layout_id))
    return _names[layout_id]


def _hold(source_id: int, layout_id: int, at_s: int) -> None:
    """Note that a source has this layout now. Cost: nothing while it stays the same."""
    if _held.get(source_id) == layout_id:
        return
    Held.objects.filter(source_id=source_id, last_s=None).exclude(layout_id=layout_id).update(last_s=at_s)
    Held.objects.update_or_create(
        source_id=source_id, layout_id=layout_id, defaults={"last_s": None}, create_defaults={"first_s": at_s}
    )
    _held[source_id] = layout_id


def forget_remembered() -> None:
    """Drop what this process remembers of sources and layouts: for tests, and after rows were deleted by another process."""
    for remembered in (_sources, _layouts, _names, _held, partitions.there):
        remembered.clear()


# -- packing -----------------------------------------------------------------------------------------------------------


def unpacked(packed: Packed) -> array[float]:
    values = array("f")
    values.frombytes(bytes(packed))
    return values
