"""Indexes of a PostgreSQL database: which are invalid, duplicate, covered by another, or not used, and why."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from apps.engine.connections.postgres import postgres_node
from apps.engine.files import sql_text
from apps.engine.target import Address, Target
from apps.upkeep.reads.folder import FOLDER
from apps.upkeep.reads.remark import Remark, safe_name

INDEXES_MOST = 2000
UNUSED_BYTES = 10 * 10**6
YOUNG = timedelta(days=7)


@dataclass(frozen=True, slots=True, kw_only=True)
class Index:
    """One index as the catalogue has it. `columns`, `classes`, `collations` and `options` are texts to compare by."""

    table_oid: int
    schema: str
    table_name: str
    name: str
    size_bytes: int | None
    scan_count: int | None
    is_unique: bool
    is_primary: bool
    is_exclusion: bool
    is_replica_identity: bool
    is_valid: bool
    is_being_built: bool
    serves_foreign_key: bool
    method: str
    key_count: int
    columns: str
    classes: str
    collations: str
    options: str
    expressions: str
    predicate: str
    nulls_distinct: bool
    definition: str

    @property
    def is_needed_besides_scans(self) -> bool:
        """It enforces something, or replication looks rows up by it."""
        return self.is_unique or self.is_primary or self.is_exclusion or self.is_replica_identity

    @property
    def keys(self) -> tuple[tuple[str, str, str, str], ...]:
        """(column, operator class, collation, order) of each key column."""
        parts = (self.columns, self.classes, self.collations, self.options)
        return tuple(zip(*(part.split()[: self.key_count] for part in parts), strict=True))

    @property
    def definition_text(self) -> str:
        return safe_name(self.definition)

    @property
    def included(self) -> frozenset[str]:
        return frozenset(self.columns.split()[self.key_count :])


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What is wrong with an index: `kind` is invalid, duplicate, covered, unused."""

    index: Index
    kind: str
    remark: Remark


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexReview:
    """`counts_since` is when scans began to be counted; `is_young` when that is less than a week ago."""

    findings: tuple[Finding, ...]
    largest: tuple[Index, ...]
    index_count: int
    is_cut: bool
    counts_since: datetime | None
    is_young: bool

    @property
    def removable_bytes(self) -> int:
        return sum(f.index.size_bytes or 0 for f in self.findings if f.remark.is_trouble)


def index_review(target: Target, *, database: str, address: Address | None = None) -> IndexReview:
    """The indexes of a database, with what is wrong.

    Shape: findings worst first, then the 50 largest. Units: bytes; scans since `counts_since`, of this node only.
    Cost: see sql/indexes.sql; at most 2,000 indexes are compared, which takes some ms here.
    Errors: those of postgres_node. Source: pg_index, pg_stat_get_numscans(), pg_stat_database.
    """
    with postgres_node(target, address=address, database=database) as node:
        found = node.records(Index, sql_text(FOLDER, "indexes", major=node.version), {"most": INDEXES_MOST})
        began_at, started_at = node.row(sql_text(FOLDER, "statistics_age", major=node.version))
    since = began_at or started_at
    is_young = since is None or datetime.now(UTC) - since < YOUNG
    return IndexReview(
        findings=judged(found, is_young=is_young),
        largest=tuple(sorted(found, key=lambda index: -(index.size_bytes or 0))[:50]),
        index_count=len(found),
        is_cut=len(found) == INDEXES_MOST,
        counts_since=began_at,
        is_young=is_young,
    )


def judged(found: Sequence[Index], *, is_young: bool) -> tuple[Finding, ...]:
    """Pure: at most one finding an index, the worst first, then the largest."""
    by_table: dict[int, list[Index]] = {}
    for index in found:
        by_table.setdefault(index.table_oid, []).append(index)
    findings = [
        finding for index in found if (finding := _finding(index, by_table[index.table_oid], is_young=is_young))
    ]
    return tuple(sorted(findings, key=lambda f: (f.remark.rank, f.kind, -(f.index.size_bytes or 0))))


def _finding(index: Index, others: Iterable[Index], *, is_young: bool) -> Finding | None:
    if not index.is_valid:
        return _of_invalid(index)
    pairs = [pair for other in others if other is not index and other.is_valid and (pair := _of_pair(index, other))]
    worst = min(pairs, key=lambda pair: pair.remark.rank, default=None)
    return worst or _of_unused(index, is_young=is_young)


def _of_invalid(index: Index) -> Finding:
    if index.is_being_built:
        remark = Remark(signal="info", short="being built", why="A session builds it at this moment.")
    else:
        left = (
            " Its name is that of a rebuild that was cancelled."
            if "_ccnew" in index.name or "_ccold" in index.name
            else ""
        )
        remark = Remark(signal="crit", short="invalid", why=f"Every write keeps it up, no query uses it.{left}")
    return Finding(index=index, kind="invalid", remark=remark)


def _of_pair(index: Index, other: Index) -> Finding | None:
    """Whether `index` could go because `other` does its work."""
    same_rows = (index.method, index.expressions, index.predicate) == (other.method, other.expressions, other.predicate)
    if not same_rows or index.is_primary or index.is_replica_identity or index.is_exclusion:
        return None
    if index.keys == other.keys and index.included <= other.included:
        return _of_duplicate(index, other)
    shorter = len(index.keys) < len(other.keys) and other.keys[: len(index.keys)] == index.keys
    if (
        index.method == "btree"
        and not index.is_unique
        and shorter
        and not index.included
        and "0" not in index.columns.split()
    ):
        remark = Remark(
            signal="info", short="covered", why=f"Its columns are the first ones of {safe_name(other.name)}."
        )
        return Finding(index=index, kind="covered", remark=remark)
    return None


def _of_duplicate(index: Index, other: Index) -> Finding | None:
    """Of two equal ones the one that enforces less goes; of two that do the same, the later name."""
    if index.is_unique and (not other.is_unique or index.nulls_distinct != other.nulls_distinct):
        return None
    if _strength(index) > _strength(other) or (_strength(index) == _strength(other) and index.name < other.name):
        return None
    what = "primary key" if other.is_primary else "unique" if other.is_unique else "not unique either"
    remark = Remark(signal="warn", short="duplicate", why=f"The same as {safe_name(other.name)}, {what}.")
    return Finding(index=index, kind="duplicate", remark=remark)


def _strength(index: Index) -> tuple[bool, bool, int]:
    return index.is_primary, index.is_unique, len(index.included)


def _of_unused(index: Index, *, is_young: bool) -> Finding | None:
    if index.scan_count != 0 or index.is_needed_besides_scans or (index.size_bytes or 0) < UNUSED_BYTES:
        return None
    if is_young:
        remark = Remark(
            signal="unknown", short="not used yet", why="Scans are counted for less than a week: too early to tell."
        )
    elif index.serves_foreign_key:
        remark = Remark(
            signal="info", short="not used", why="It begins with a foreign key's column: deletes there would need it."
        )
    else:
        remark = Remark(signal="warn", short="unused", why="No scan on this node; replicas count their own.")
    return Finding(index=index, kind="unused", remark=remark)
