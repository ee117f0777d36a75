"""Outbox tables in PostgreSQL, found by name and columns. Counts end at 10,000: an outbox that long needs help, not digits."""

from __future__ import annotations

from collections.abc import Sequence

from apps.engine.connections.postgres import PostgresNode
from apps.engine.contracts import adapter as contract
from apps.engine.contracts.adapter import Age, Count, Found, Job, Known, Marks, Page, Payload, Queue, Row, Snapshot
from apps.engine.errors import EngineError, Gone
from apps.queues import outboxes, payloads
from apps.queues.outboxes import Event, Figures, Table

NO_READERS = "An outbox keeps no list of who reads it."
NO_RUNNING = "An outbox does not record who publishes a row at the moment."


class OutboxAdapter(contract.Adapter[PostgresNode]):
    key = "outbox"
    kind = "postgres"
    title = "PostgreSQL outbox"
    oldest_end = "lowest key"

    def detect(self, node: PostgresNode, *, database: str, marks: Marks) -> tuple[Found, ...]:
        """Cost: one query of the catalogue. Source: pg_class, pg_attribute."""
        keys = tuple(_name(table) for table in outboxes.tables(node))
        found = Found(
            adapter=self.key, framework="PG outbox", database=database, evidence="tables named outbox", keys=keys
        )
        return (found,) if keys else ()

    def queues(self, node: PostgresNode, found: Found) -> tuple[Queue, ...]:
        """Cost: none beyond the detection."""
        return tuple(
            Queue(adapter=self.key, framework=found.framework, database=found.database, name=name, part=schema)
            for schema, _, name in (key.partition(b"\0") for key in found.keys)
        )

    def snapshots(self, node: PostgresNode, queues: Sequence[Queue]) -> list[Snapshot]:
        """Cost: one capped count a table, and one query of the catalogue unless `detect` asked it just now.

        Errors: a table that may not be read costs itself only.
        """
        known = {_name(table): table for table in outboxes.tables_just_told(node)}
        return [
            _snapshot(node, queue, known[key]) for queue in queues if (key := queue.part + b"\0" + queue.name) in known
        ]

    def page(self, node: PostgresNode, queue: Queue, *, state: str, start: str) -> Page:
        """Cost: one query of the catalogue, one of 51 rows along the primary key. Source: the table."""
        if state != "ready":
            raise Gone("An outbox has no such state.")
        events = outboxes.events(node, _table(node, queue), most=contract.PAGE + 1, after=start)
        rows = tuple(_row(event) for event in events[: contract.PAGE])
        more = events[contract.PAGE - 1].key if len(events) > contract.PAGE else None
        return Page(rows=rows, at_title="Written", next=more)

    def job(self, node: PostgresNode, queue: Queue, *, state: str, id: bytes, start: str) -> Job:  # noqa: A002
        """Cost: one query by the primary key; at most 64 Ki characters of the payload. Errors: Gone once it is published."""
        key = id.decode("utf-8", "replace")
        found = outboxes.events(node, _table(node, queue), most=1, key=key, payload_most=payloads.SHOWN_BYTES)
        if not found:
            raise Gone("The row does not wait any more: it was published or deleted.")
        return _job(found[0])


ADAPTER = OutboxAdapter()


def _name(table: Table) -> bytes:
    return table.schema.encode() + b"\0" + table.name.encode()


def _table(node: PostgresNode, queue: Queue) -> Table:
    return outboxes.table_named(node, queue.part.decode("utf-8", "replace"), queue.name.decode("utf-8", "replace"))


def _snapshot(node: PostgresNode, queue: Queue, table: Table) -> Snapshot:
    try:
        figures = _figures(node, table)
    except EngineError as error:
        return _closed(queue, error.message)
    if figures is None:
        return _closed(
            queue, f'This account may not read it. It needs GRANT SELECT ON "{table.schema}"."{table.name}".'
        )
    ready = _count(figures.ready_count)
    return Snapshot(
        queue=queue,
        ready=ready,
        running=Count.none(NO_RUNNING),
        scheduled=Count.none("An outbox has nothing for later."),
        failed=_failed(table, figures),
        oldest=_age(figures),
        workers=contract.Workers(known=Known.UNKNOWN, why=NO_READERS),
        states=(contract.State(key="ready", title="Ready", count=ready),),
        mark=(figures.first_key or "").encode(),
        notes=(f"{figures.tried_count:,} of them were tried before.",) if figures.tried_count else (),
    )


def _figures(node: PostgresNode, table: Table) -> Figures | None:
    return outboxes.figures(node, table) if table.readable else None


def _closed(queue: Queue, why: str) -> Snapshot:
    unknown = Count.unknown(why)
    return Snapshot(
        queue=queue,
        ready=unknown,
        running=Count.none(NO_RUNNING),
        scheduled=Count.none("An outbox has nothing for later."),
        failed=unknown,
        oldest=Age.unknown(why),
        workers=contract.Workers(known=Known.UNKNOWN, why=NO_READERS),
        states=(contract.State(key="ready", title="Ready", count=unknown),),
        notes=(why,),
    )


def _count(value: int) -> Count:
    if value > outboxes.MOST_COUNTED:
        return Count.at_least(outboxes.MOST_COUNTED, f"Counted up to {outboxes.MOST_COUNTED:,}.")
    return Count.exact(value)


def _failed(table: Table, figures: Figures) -> Count:
    if table.column(outboxes.ERROR) is None:
        return Count.none("The table has no column for an error.")
    if figures.ready_count > outboxes.MOST_COUNTED:
        return Count.at_least(figures.failing_count, f"Among the first {outboxes.MOST_COUNTED:,} that wait.")
    return Count.exact(figures.failing_count)


def _age(figures: Figures) -> Age:
    if not figures.ready_count:
        return Age.none()
    if figures.oldest_s is None:
        return Age.unknown("The table has no column for the time of writing.")
    if figures.ready_count > outboxes.MOST_COUNTED:
        return Age.at_least(figures.oldest_s, f"The oldest of the first {outboxes.MOST_COUNTED:,} that wait.")
    return Age.exact(figures.oldest_s, "The row carries the time at which it was written.")


def _row(event: Event) -> Row:
    return Row(
        id=event.key.encode(),
        call=(event.topic or "").encode(),
        arguments=(event.payload or "").encode(),
        at=event.created_at,
        attempts=str(event.tried_count) if event.tried_count else "",
        message=(event.error or "").encode(),
    )


def _job(event: Event) -> Job:
    body = (event.payload or "").encode()
    return Job(
        id=event.key.encode(),
        call=(event.topic or "").encode(),
        facts=(("Tried", str(event.tried_count).encode()),) if event.tried_count else (),
        payload=Payload(
            size_bytes=event.payload_bytes,
            steps=("text",),
            body=payloads.indented(body) or body,
            cut=(event.payload_bytes or 0) > len(body),
        ),
        moments=(contract.Moment(at=event.created_at, words="written"),) if event.created_at else (),
        traceback=(event.error or "").encode(),
    )
