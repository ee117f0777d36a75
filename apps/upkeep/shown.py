"""Rows of the long tables as their templates put them down: what a cell says, and what stands in it at all, is decided here."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString

from apps.operations.buttons import RowLink, refs, row_link
from apps.servers.models import Server
from apps.servers.panels import Panel
from apps.shell.templatetags.shell import ago, bar, bytes_si, count, name, percent, sig
from apps.shell.templatetags.table_rows import NOTHING, class_of
from apps.upkeep.leftovers import NAMED
from apps.upkeep.reads.indexes import Index
from apps.upkeep.reads.redis_settings import Setting
from apps.upkeep.reads.remark import Remark, safe_name
from apps.upkeep.reads.sequences import Sequence
from apps.upkeep.reads.tables import Table
from apps.upkeep.settable import SETTABLE

LARGEST_SHOWN, SEQUENCES_SHOWN = 20, 15
AUTO = SafeString(' <span class="subnum" title="By autovacuum">auto</span>')
LOCKED = SafeString(
    '<td class="n" colspan="4"><span class="why-unknown" title="Somebody holds an exclusive lock on it; not waited for">locked'
    "</span></td>"
)
UNREADABLE = SafeString(
    '<span class="why-unknown" title="GRANT SELECT ON SEQUENCE, or pg_read_all_data">unknown</span>'
)
NEVER = SafeString('<span class="none" title="Not since the statistics began">–</span>')


@dataclass(frozen=True, slots=True, kw_only=True)
class Levers:
    """The buttons of a database's rows."""

    vacuum: RowLink
    analyze: RowLink
    rebuild: RowLink
    remove: RowLink


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownTable:
    """`sizes` are four cells, or one that says that somebody holds it exclusively: then its sizes are not known."""

    edge: SafeString
    name: SafeString
    sizes: SafeString
    live: SafeString
    dead: SafeString
    dead_share: SafeString
    bar: SafeString
    trigger: SafeString
    vacuumed: SafeString
    auto: SafeString
    analyzed: SafeString
    scans: SafeString
    remark: SafeString
    levers: SafeString


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownIndex:
    """`finding` and `why` are empty for an index with which nothing is wrong."""

    edge: SafeString
    finding: SafeString
    why: str
    name: SafeString
    definition: str
    table: SafeString
    size: SafeString
    scans: SafeString
    enforces: str
    lever: SafeString


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownSequence:
    """`used` says why it is not known of a sequence that may not be read."""

    edge: SafeString
    name: SafeString
    column: str
    left: str
    used: SafeString


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownSetting:
    """A setting of a Redis with its button, where it may be changed from here."""

    setting: Setting
    lever: SafeString


def levers_of(request: HttpRequest, server: Server, database: str) -> Levers:
    """Cost: the queries of four buttons, once a page."""
    raw = database.encode("utf-8", "surrogateescape")
    vacuum, analyze, rebuild, remove = (
        row_link(request, key, server, database=raw)
        for key in ("upkeep.vacuum", "upkeep.analyze_table", "upkeep.reindex", "upkeep.drop_leftover")
    )
    return Levers(vacuum=vacuum, analyze=analyze, rebuild=rebuild, remove=remove)


def shown_settings(settings: Iterable[Setting], change: RowLink) -> tuple[ShownSetting, ...]:
    return tuple(
        ShownSetting(
            setting=each,
            lever=change.at(SafeString(f"name={each.name}"), each.name) if each.name in SETTABLE else NOTHING,
        )
        for each in settings
    )


def long_rows(panels: Mapping[str, Panel[Any]], levers: Levers) -> dict[str, list[Any]]:
    """The rows of the panels that have long tables; none of a panel that was not asked for, or could not be read."""
    tables, review, sequences = (_read(panels, name) for name in ("tables", "indexes", "sequences"))
    return {
        "tables": [_table(table, table.remark, levers) for table in tables or ()],
        "findings": [_index(each.index, each.remark, levers) for each in (review.findings if review else ())],
        "indexes": [_index(index, None, levers) for index in (review.largest[:LARGEST_SHOWN] if review else ())],
        "sequences": [_sequence(each) for each in (sequences or ())[:SEQUENCES_SHOWN]],
    }


def _read(panels: Mapping[str, Panel[Any]], name: str) -> Any:
    panel = panels.get(f"upkeep_{name}")
    return panel.value if panel else None


def _edge(remark: Remark | None) -> SafeString:
    return class_of(f"edge-{remark.signal}" if remark and remark.is_trouble else "")


def _table(table: Table, remark: Remark | None, levers: Levers) -> ShownTable:
    where, about = _where(table.schema, table.name), safe_name(table.name)
    return ShownTable(
        edge=_edge(remark),
        name=_qualified(table),
        sizes=LOCKED if table.total_bytes is None else _sizes(table),
        live=count(table.live_count),
        dead=count(table.dead_count),
        dead_share=NOTHING if table.dead_ratio is None else percent(table.dead_ratio),
        bar=bar(table.trigger_bar_ratio, table.bar_kind, 0.625, "w56"),
        trigger=count(table.trigger_count),
        vacuumed=_since(table.vacuumed_at),
        auto=AUTO if table.vacuumed_at and table.is_vacuumed_automatically else NOTHING,
        analyzed=_since(table.analyzed_at),
        scans=SafeString(f"{count(table.sequential_count)}, {count(table.index_count)}"),
        remark=format_html('<span title="{}">{}</span>', remark.why, _said(remark)) if remark else NOTHING,
        levers=SafeString(f"{levers.vacuum.at(where, about)} {levers.analyze.at(where, about)}"),
    )


def _where(schema: str, name: str) -> SafeString:
    return refs(schema=schema.encode("utf-8", "surrogateescape"), name=name.encode("utf-8", "surrogateescape"))


def _sizes(table: Table) -> SafeString:
    parts = [bytes_si(size) for size in (table.table_bytes, table.toast_bytes, table.indexes_bytes)]
    cells = [f'<td class="n ink-2">{part}</td>' for part in parts]
    return SafeString(f'<td class="n">{bytes_si(table.total_bytes)}</td>{"".join(cells)}')


def _qualified(table: Table) -> SafeString:
    """The schema is said where it is not the usual one."""
    schema = "" if table.schema == "public" else format_html('<span class="ink-3">{}.</span>', name(table.schema, 63))
    return SafeString(schema + name(table.name, 63))


def _since(at: datetime | None) -> SafeString:
    return ago(at) if at else NEVER


def _said(remark: Remark) -> SafeString:
    return sig(remark.signal, remark.short)


def _index(index: Index, remark: Remark | None, levers: Levers) -> ShownIndex:
    return ShownIndex(
        edge=_edge(remark),
        finding=_said(remark) if remark else NOTHING,
        why=remark.why if remark else "",
        name=name(index.name, 63),
        definition=index.definition_text,
        table=name(index.table_name, 63),
        size=bytes_si(index.size_bytes),
        scans=count(index.scan_count),
        enforces="primary key" if index.is_primary else "unique" if index.is_unique else "",
        lever=_index_lever(index, levers),
    )


def _index_lever(index: Index, levers: Levers) -> SafeString:
    """What a rebuild left behind is removed; what is being built, or PostgreSQL rebuilds for nobody, has none."""
    if index.is_being_built or index.is_exclusion:
        return NOTHING
    is_leftover = not index.is_valid and NAMED.search(index.name)
    return (levers.remove if is_leftover else levers.rebuild).at(
        _where(index.schema, index.name), safe_name(index.name)
    )


def _sequence(each: Sequence) -> ShownSequence:
    left = "It begins anew at its end" if each.is_cycling else ""
    if not left and each.left_count is not None:
        left = f"{count(each.left_count)} values are left"
    return ShownSequence(
        edge=class_of(f"edge-{each.signal}" if each.signal in ("crit", "warn") else ""),
        name=name(each.name, 63),
        column=each.column_text,
        left=left,
        used=_used(each) if each.is_readable else UNREADABLE,
    )


def _used(each: Sequence) -> SafeString:
    return SafeString(f"{bar(each.used_ratio, each.bar_kind, 0.75, 'w40')} {percent(each.used_ratio)}")
