"""Back one database of a PostgreSQL up: pg_dump's archive and the roles of the server, sealed and put in place as a whole."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from apps.backups import dumping, taking
from apps.backups.dumping import LOCK_WAIT_S, Stream
from apps.backups.folder import Draft
from apps.backups.manifest import Manifest, Part, part_of
from apps.backups.reads.dumps import Database, DumpContent, DumpFacts, databases, dump_facts, facts_of
from apps.backups.reads.programs import Program
from apps.backups.sealed_file import BackupBroken, SealedWriter
from apps.backups.taking import Written
from apps.engine.connections.postgres_access import Access, program_access
from apps.engine.contracts.action import Action, NoUndo, Planning, Progress, Refused, Tier
from apps.engine.contracts.params import param
from apps.engine.contracts.plan import Amount, Fact, Figure, Outcome, Plan, Sentence, about, between, exactly, say
from apps.engine.errors import Unsupported
from apps.engine.target import Kind, Profile, Target

DUMP, ROLES = "database.dump", "roles.sql"
MAGIC = b"PGDMP"
# Measured: COPY writes a table's rows in four tenths to twelve tenths of its pages, at 20 to 150 MB/s.
LEAST_SHARE, MOST_SHARE = 0.4, 1.2
BYTES_PER_S = (20e6, 150e6)


@dataclass(frozen=True, slots=True, kw_only=True)
class Params:
    database: str = param(
        "Database", default="", most_bytes=63, mono=True, help="The one that is registered, if left empty."
    )
    roles: bool = param("Roles of the server too", default=True, help="Owners and grants in the dump name them.")


class TakeDump(Action[Params]):
    key = "backups.take_dump"
    title = "Take a backup"
    verb = "Back up now"
    icon = "database-export"
    unit = "B on disk"
    kind = Kind.POSTGRES
    tier = Tier.T2
    permission = "backups.take"
    feature = "backups.dump"
    profile = Profile.BACKUP
    params = Params
    undo = NoUndo("Nothing on the server is changed; the backup can be deleted.")
    never = "A row, a table, a setting, and other databases."
    queue = "dumps"
    deadline_s = 12 * 3600.0
    exclusive = True
    resumable = True

    def prefill(self, target: Target, known: Mapping[str, Any]) -> Mapping[str, Any]:
        return {"database": target.database or "postgres", **known}

    def plan(self, target: Target, params: Params, *, planning: Planning) -> Plan:
        """Shape: one database. Cost: two statements over its catalogue. Errors: Refused, EngineError, StoreFull."""
        name = _chosen(target, params)
        facts, last = dump_facts(target, database=name), taking.last_of(target.id, database=name)
        size = _size(facts.content, last)
        room, full, warnings = taking.room(last.size_bytes if last else (size.high or 0) * 0.5)
        time = taking.takes(last, (size.low or 0) / BYTES_PER_S[1] + 1, (size.high or 0) / BYTES_PER_S[0] + 5)
        return Plan(
            effect=f"Back {name[:60]} up",
            of=say("the database ", name.encode(), f" of {target.name}, {facts.version_text} at {target.address}"),
            keep="Take none",
            figures=(
                Figure(label="Tables", amount=exactly(facts.content.table_count), note=say("with their rows")),
                Figure(label="To be read", amount=size, note=say("as the last one" if last else "from their pages")),
                Figure(label="Takes", amount=time),
                *room,
            ),
            facts=_facts(facts, params),
            commands=taking.commands(*_shown(params), where="on this machine"),
            warnings=(*_warnings(facts, params), *warnings),
            takes=time,
            blocked=_blocked(facts) or full,
        )

    def run(self, target: Target, params: Params, *, plan: Plan, progress: Progress) -> Outcome:
        """Cost: every row read once, in one snapshot. Errors: Cancelled, Fenced."""
        expected = next((figure.amount for figure in plan.figures if figure.label == "To be read"), None)
        return taking.taken(target, progress, lambda draft: _Dump(target, params, progress, draft, expected).write())


ACTION = TakeDump()


class _Dump:
    """One run's: the database, then the roles."""

    def __init__(
        self, target: Target, params: Params, progress: Progress, draft: Draft, expected: Amount | None
    ) -> None:
        self._target, self._params, self._progress, self._draft = target, params, progress, draft
        self._database = params.database or target.database or "postgres"
        with progress.postgres(database=self._database, timeout_s=30) as node:
            self._facts = facts_of(node)
        self._expected_bytes = int((expected and (expected.value or expected.high)) or 0)
        self._done_bytes = 0

    def write(self) -> Written:
        program = _program(self._facts)
        name = dumping.name_of(self._progress)
        with program_access(self._target, database=self._database, name=name) as access:
            parts, remarks = [], list(_kept_remarks(self._facts, self._params))
            for part, says, words in _programs(program, access, self._facts, self._params):
                made, said = self._part(part, says, words)
                parts.append(made)
                remarks += said
        self._progress.step(self._done_bytes, total_count=self._done_bytes, note="putting it in place")
        return Written(
            parts=tuple(parts),
            version_text=self._facts.version_text,
            tool=f"pg_dump {program.version_text}",
            database=self._database,
            facts={"tables": str(self._facts.content.table_count)},
            remarks=tuple(remarks),
        )

    def _part(self, part: str, says: str, words: list[str | Path]) -> tuple[Part, tuple[str, ...]]:
        writer = self._draft.writer(part)
        self._progress.log(f"{Path(words[0]).name} for {says}")
        with dumping.dumping(
            words, progress=self._progress, database=self._database, secret=self._target.password
        ) as stream:
            head = self._copied(stream, writer)
        if part == DUMP and not head.startswith(MAGIC):
            raise BackupBroken("What pg_dump wrote is no archive.")
        return part_of(part, says, f"{part}.sealed", writer.finish()), stream.remarks

    def _copied(self, stream: Stream, writer: SealedWriter) -> bytes:
        """Returns how it begins."""
        head = b""
        for block in stream.blocks():
            head = head or block[:16]
            if block:
                writer.write(block)
                self._done_bytes += len(block)
            tables = min(stream.tables_count, self._facts.content.table_count)
            note = f"table {tables} of {self._facts.content.table_count}" if tables else "reading the catalogue"
            total_bytes = max(self._expected_bytes, self._done_bytes) or None
            self._progress.step(self._done_bytes, total_count=total_bytes, note=note)
        return head


def _programs(
    program: Program, access: Access, facts: DumpFacts, params: Params
) -> list[tuple[str, str, list[str | Path]]]:
    """(part, what it is, the words): every name is inside a connection string, none is an argument of its own."""
    common: list[str | Path] = ["--no-password", f"--lock-wait-timeout={LOCK_WAIT_S}s", f"--dbname={access.everything}"]
    dump = [program.path, "--format=custom", "--compress=0", "--verbose", *common]
    found: list[tuple[str, str, list[str | Path]]] = [(DUMP, "the database", dump)]
    if params.roles:
        words: list[str | Path] = [program.path.with_name("pg_dumpall"), "--globals-only", *common]
        words.append(f"--database={access.database}")
        if not facts.content.may_read_passwords:
            words.append("--no-role-passwords")
        found.append((ROLES, "the roles", words))
    return found


def _program(facts: DumpFacts) -> Program:
    if facts.fit.program is None:
        raise Unsupported(f"No pg_dump fits: {facts.fit.reason}.")
    return facts.fit.program


def _chosen(target: Target, params: Params) -> str:
    """The database that is meant. Errors: Refused for one that is not there or may not be opened, with those that are."""
    name = params.database or target.database or "postgres"
    known = databases(target)
    found = next((each for each in known if each.name == name), None)
    if found is None:
        raise Refused(f"There is no database “{name}” here. {_named(known)}", field="database")
    if not found.may_connect:
        raise Refused(
            f"This account may not connect to “{name}”.", field="database", way_out="GRANT CONNECT ON DATABASE"
        )
    return name


def _named(known: list[Database]) -> str:
    names = [each.name for each in known if each.may_connect]
    return f"There are {', '.join(names[:8])}{' and more' if len(names) > 8 else ''}."


# -- what the plan says ------------------------------------------------------------------------------------------------


def _size(content: DumpContent, last: Manifest | None) -> Amount:
    if last is not None:
        return about(last.plain_bytes, last.plain_bytes * 0.7, last.plain_bytes * 1.4, "B on disk")
    if content.table_bytes:
        return between(content.table_bytes * LEAST_SHARE, content.table_bytes * MOST_SHARE, "B on disk")
    return between(0, content.size_bytes, "B on disk")


def _shown(params: Params) -> tuple[str, ...]:
    dump = f"pg_dump --format=custom --compress=0 --verbose --no-password --lock-wait-timeout={LOCK_WAIT_S}s --dbname=…"
    if not params.roles:
        return (dump,)
    return dump, f"pg_dumpall --globals-only --no-password --lock-wait-timeout={LOCK_WAIT_S}s --dbname=… --database=…"


def _facts(facts: DumpFacts, params: Params) -> tuple[Fact, ...]:
    return (
        Fact(label="Program", words=say(facts.fit.reason), signal="" if facts.fit.fits else "warn"),
        Fact(
            label="While it runs",
            words=say(
                "everybody reads and writes on. Changes to tables wait for it, and vacuum removes nothing that died since."
            ),
        ),
        Fact(
            label="Roles",
            words=say(_roles_words(facts, params)),
            signal="" if _has_passwords(facts, params) else "warn",
        ),
        Fact(label="Not in it", words=say("other databases, and settings of the server")),
        Fact(
            label="Stops if",
            words=say(f"a lock is not to be had within {LOCK_WAIT_S} s, or the disk gets full; then nothing is kept"),
        ),
    )


def _has_passwords(facts: DumpFacts, params: Params) -> bool:
    return params.roles and facts.content.may_read_passwords


def _roles_words(facts: DumpFacts, params: Params) -> str:
    if not params.roles:
        return "left out: owners and grants of the dump have to be there when it is restored"
    if facts.content.may_read_passwords:
        return "with memberships and the hashes of their passwords"
    return "with memberships, without passwords: this account may not read them"


def _kept_remarks(facts: DumpFacts, params: Params) -> tuple[str, ...]:
    if params.roles and not facts.content.may_read_passwords:
        return ("The roles have no passwords: this account may not read pg_authid.",)
    return ()


def _warnings(facts: DumpFacts, params: Params) -> tuple[Sentence, ...]:
    found: list[Sentence] = []
    if facts.content.is_standby:
        found.append(say("This is a standby: it may end the dump where what its primary sends collides with it."))
    if facts.content.has_large_objects:
        found.append(say("The database has large objects: only their owner and a superuser may read them all."))
    return tuple(found)


def _blocked(facts: DumpFacts) -> Sentence:
    content = facts.content
    if not facts.fit.fits:
        return say(f"No pg_dump fits: {facts.fit.reason}.")
    if content.unreadable_count:
        others = f" and {content.unreadable_count - 1:,} more" if content.unreadable_count > 1 else ""
        return say(
            "This account may not read ",
            (content.unreadable or "").encode(),
            f"{others}: GRANT pg_read_all_data to it.",
        )
    if content.filtered_count:
        return say(
            f"{content.filtered_count:,} tables show this account some of their rows only: ALTER ROLE … BYPASSRLS, or back up as"
            " their owner."
        )
    return ()
