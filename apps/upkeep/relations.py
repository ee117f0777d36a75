"""One table or index that is to be maintained: what it is, who stands in the way, what an earlier rebuild left behind."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from apps.engine.connections.postgres import PostgresNode, postgres_node, sql
from apps.engine.contracts.action import Refused
from apps.engine.contracts.params import param
from apps.engine.errors import Gone, NotPermitted, Unsupported
from apps.engine.files import sql_text
from apps.engine.target import Target
from apps.engine.text import plain
from apps.engine.units import duration_text
from apps.upkeep.reads.folder import FOLDER

LONG_S = 60
LONGEST_NAME_BYTES = 63


@dataclass(frozen=True, slots=True, kw_only=True)
class OfRelation:
    """The parameters that come with the button of a table or an index."""

    database: bytes = param("Database", fixed=True)
    schema: bytes = param("Schema", fixed=True)
    name: bytes = param("Name", fixed=True)

    @property
    def shown(self) -> bytes:
        return self.name if self.schema == b"public" else self.schema + b"." + self.name


@dataclass(frozen=True, slots=True, kw_only=True)
class Relation:
    """See sql/relation.sql. `kind` is a letter of pg_class.relkind."""

    oid: int
    kind: str
    persistence: str
    owner: str
    account: str
    is_standby: bool
    table_oid: int
    table_schema: str
    table_name: str
    toast_oid: int
    size_bytes: int
    toast_bytes: int
    indexes_bytes: int
    pages_count: int
    clean_pages_count: int
    live_count: int | None
    dead_count: int | None
    changed_count: int | None
    vacuumed_at: datetime | None
    analyzed_at: datetime | None
    index_count: int
    partition_count: int
    is_valid: bool
    is_exclusion: bool
    definition: str | None
    may_vacuum: bool
    may_rebuild: bool
    may_drop: bool

    @property
    def total_bytes(self) -> int:
        return self.size_bytes + self.toast_bytes + self.indexes_bytes

    @property
    def is_index(self) -> bool:
        return self.kind in ("i", "I")


@dataclass(frozen=True, slots=True, kw_only=True)
class Holder:
    """Who keeps old rows, or holds a lock. `age_count` is in transactions."""

    kind: str
    pid: int | None
    name: str | None
    state: str | None
    begun_at: datetime | None
    age_count: int

    @property
    def age_s(self) -> float | None:
        return (datetime.now(UTC) - self.begun_at).total_seconds() if self.begun_at else None

    @property
    def is_long(self) -> bool:
        """Long enough to be told: over a minute, or of an age that nobody says."""
        return self.age_s is None or self.age_s > LONG_S

    @property
    def words(self) -> str:
        """ "pid 24817 (app), idle in transaction for 4 min"."""
        return holder_words(self.kind, self.pid, self.name, self.state, self.age_s)


@dataclass(frozen=True, slots=True, kw_only=True)
class Locker:
    pid: int | None
    name: str | None
    state: str | None
    begun_at: datetime | None
    mode: str
    is_automatic: bool

    @property
    def words(self) -> str:
        age_s = (datetime.now(UTC) - self.begun_at).total_seconds() if self.begun_at else None
        return holder_words(
            "session", self.pid, self.name or ("autovacuum" if self.is_automatic else None), self.state, age_s
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Leftover:
    """An invalid index with the name of a concurrent rebuild that did not end."""

    oid: int
    schema: str
    name: str
    size_bytes: int
    is_being_built: bool
    may_drop: bool


def holder_words(kind: str, pid: int | None, name: str | None, state: str | None, age_s: float | None) -> str:
    """In words, where the account may not see everything as well."""
    who = plain(name.encode("utf-8", "surrogateescape"), most=63) if name else "of another role"
    what = {"prepared": "prepared transaction", "slot": "replication slot", "standby": "standby"}.get(kind)
    head = f"{what} {who}" if what else f"pid {pid} ({who})" if pid else "a prepared transaction"
    lasted = f" for {duration_text(age_s)}" if age_s is not None else ""
    return f"{head}, {state}{lasted}" if state else f"{head}{lasted}"


def text_of(raw: bytes) -> str:
    """A name as the server takes it. Errors: Refused for what no server has."""
    try:
        name = raw.decode()
    except UnicodeDecodeError as error:
        raise Refused("This name is no UTF-8 text; the console cannot write it.") from error
    if not name or "\0" in name or len(raw) > LONGEST_NAME_BYTES:
        raise Gone("There is nothing of such a name.", way_out="Choose it on the page of upkeep again.")
    return name


def identifier(params: OfRelation) -> sql.Composed:
    """Its name with its schema, quoted."""
    return qualified(text_of(params.schema), text_of(params.name))


def qualified(schema: str, name: str) -> sql.Composed:
    return sql.SQL("{}.{}").format(sql.Identifier(schema), sql.Identifier(name))


def written(statement: sql.Composable) -> str:
    """A statement as it is sent, on one line, with what cannot be seen written out."""
    return plain(statement.as_string(None).encode("utf-8", "surrogateescape"), most=600)


def look(target: Target, params: OfRelation) -> tuple[Relation, int]:
    """What stands there now, and the server's major version. Errors: Gone, Refused, Busy where it is locked; see postgres_node."""
    with postgres_node(target, database=text_of(params.database)) as node:
        return relation(node, params), node.version


def relation(node: PostgresNode, params: OfRelation) -> Relation:
    """Errors: Gone where no table, view or index has this name."""
    where = {"schema": text_of(params.schema), "name": text_of(params.name)}
    found = node.records(Relation, sql_text(FOLDER, "relation", major=node.version), where)
    if not found:
        raise Gone("It is not there any more: dropped or renamed.", way_out="Look at the page of upkeep again.")
    return found[0]


def holders(node: PostgresNode) -> list[Holder]:
    """Who keeps old rows in this database, the oldest first; at most 5."""
    return node.records(Holder, sql_text(FOLDER, "holders", major=node.version))


def lockers(node: PostgresNode, table_oid: int) -> list[Locker]:
    """Who holds what a maintaining statement has to wait for; at most 5."""
    return node.records(Locker, sql_text(FOLDER, "lockers", major=node.version), {"oid": table_oid})


def leftovers(node: PostgresNode, table_oid: int) -> list[Leftover]:
    """What earlier rebuilds left on this table; at most 100."""
    return node.records(Leftover, sql_text(FOLDER, "leftovers", major=node.version), {"oid": table_oid})


def check_maintained(found: Relation, params: OfRelation, *, kinds: str, allowed: bool, version: int) -> None:
    """Errors: Unsupported for what cannot be maintained in this way; NotPermitted with the grant that would allow it."""
    if found.is_standby:
        raise Unsupported("This server is a standby: it takes no maintenance.", way_out="Do this on its primary.")
    if found.persistence == "t":
        raise Unsupported("This is a temporary table: only the session that made it may maintain it.")
    if found.kind not in kinds:
        raise Unsupported(_why_not(found))
    if not allowed:
        raise _not_permitted(found, version)


def _why_not(found: Relation) -> str:
    match found.kind:
        case "p":
            return f"A partitioned table holds no rows of its own: do this to its {found.partition_count} partitions."
        case "I":
            return f"A partitioned index holds nothing itself: rebuild the indexes of its {found.partition_count} partitions."
        case "t":
            return "This holds the long values of a table, and is maintained with it."
        case "i":
            return "This is an index: it is maintained with its table."
        case "f":
            return "This is a foreign table: its rows live on another server."
        case _:
            return "This holds no rows: there is nothing to maintain."


def _not_permitted(found: Relation, version: int) -> NotPermitted:
    who, table = sql.Identifier(found.account), qualified(found.table_schema, found.table_name)
    if version >= 17:
        grant = sql.SQL("GRANT MAINTAIN ON TABLE {} TO {}").format(table, who)
        return NotPermitted("The console's account may not maintain this table.", missing=written(grant))
    grant = sql.SQL("GRANT {} TO {}").format(sql.Identifier(found.owner), who)
    return NotPermitted(
        "Before PostgreSQL 17 only its owner maintains a table.",
        missing=written(grant) + ", which gives all its rights",
    )
