"""Whatever is done to the audit behind the console's back is found, and what cannot be found without an anchor is known."""

from __future__ import annotations

import base64
import hmac
import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from django.db import DatabaseError, connection, connections, transaction
from django.utils import timezone
from pytest_django import Settings

from apps.operations import anchors, audit, audit_chain
from apps.operations.models import Anchor, AuditEntry, ChainCheck
from apps.operations.models.audit import Phase

pytestmark = pytest.mark.django_db(transaction=True)
TABLE = "operations_auditentry"
OTHER_KEY = base64.b64encode(b"somebody else's key of 32 bytes!").decode()


def write(count: int, *, actor: str = "alice") -> list[AuditEntry]:
    return [
        audit.append(Phase.CONSOLE, actor=actor, action=f"step.{n}", result="done", note="x" * n) for n in range(count)
    ]


def sql(statement: str, *values: Any) -> list[tuple[Any, ...]]:
    """As somebody who has the console's database, and no trigger in the way."""
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        return cursor.fetchall() if cursor.description else []


def problems() -> dict[int, list[str]]:
    found: dict[int, list[str]] = {}
    for problem in audit_chain.verify().problems:
        found.setdefault(problem.seq, []).append(problem.words)
    return found


def set_values(row: int, **values: Any) -> None:
    columns = ", ".join(f"{column} = %s" for column in values)
    sql(f"UPDATE {TABLE} SET {columns} WHERE seq = %s", *values.values(), row)


@pytest.fixture(autouse=True)
def anchor_file(settings: Settings, tmp_path: Path) -> Path:
    settings.AUDIT_ANCHOR_FILES = [tmp_path / "outside" / "anchors.jsonl"]
    return tmp_path / "outside" / "anchors.jsonl"


# -- a whole chain -----------------------------------------------------------------------------------------------------


def test_a_chain_that_nobody_touched_is_whole() -> None:
    write(30)
    found = audit_chain.verify()
    assert found.ok and (found.rows_count, found.first_seq, found.last_seq) == (30, 1, 30)


def test_an_empty_chain_is_whole() -> None:
    assert audit_chain.verify().ok


def test_many_at_once_write_one_chain() -> None:
    def write_some() -> None:
        try:
            write(10)
        finally:
            connections.close_all()

    writers = [threading.Thread(target=write_some) for _ in range(6)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    found = audit_chain.verify()
    assert found.ok and found.rows_count == 60


def test_an_entry_that_was_undone_with_its_transaction_leaves_no_gap() -> None:
    write(2)
    with pytest.raises(RuntimeError), transaction.atomic():
        write(3)
        raise RuntimeError
    write(1)
    found = audit_chain.verify()
    assert found.ok and found.last_seq == 3


def test_a_chain_goes_on_over_a_change_of_keys(settings: Settings) -> None:
    first = settings.AUDIT_KEYS
    write(3)
    anchors.drop_anchor()
    settings.AUDIT_KEYS = f"{OTHER_KEY} {first}"
    write(3)
    anchors.drop_anchor()
    found = audit_chain.verify()
    assert found.ok and found.anchors_count == 2
    assert AuditEntry.objects.values("key_id").distinct().count() == 2
    settings.AUDIT_KEYS = OTHER_KEY
    lost = problems()
    assert {seq for seq, words in lost.items() if "is not among the console's" in words[0]} == {1, 2, 3}


# -- rows that were changed --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seq", [1, 5, 10])
def test_a_changed_text_is_found(seq: int) -> None:
    write(10)
    ((payload,),) = sql(f"SELECT payload FROM {TABLE} WHERE seq = %s", seq)
    set_values(seq, payload=payload.replace('"done"', '"fine"'))
    assert list(problems()) == [seq]
    assert "it was changed after it was written" in problems()[seq]


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("actor", "mallory"), ("action", "harmless.look"), ("phase", "read"), ("server_key", "other"), ("environment", "dev"),
        ("run_number", 4711), ("result", "failed"), ("at", timezone.now()),
    ],
)  # fmt: skip
def test_a_column_that_says_something_else_than_its_text_is_found(column: str, value: Any) -> None:
    write(5)
    set_values(3, **{column: value})
    assert problems() == {3: [f"its columns {column} say something else than what was written"]}


def test_a_text_that_cannot_be_read_is_found() -> None:
    write(5)
    set_values(3, payload="{")
    assert problems()[3] == ["it was changed after it was written", "its text cannot be read"]


@pytest.mark.parametrize("seq", [2, 9])
def test_a_changed_link_is_found_at_the_row_and_after_it(seq: int) -> None:
    write(10)
    set_values(seq, mac="0" * 64)
    assert list(problems()) == [seq, seq + 1]


# -- rows that are gone, moved or put in -------------------------------------------------------------------------------


def test_a_missing_first_row_is_found() -> None:
    write(10)
    sql(f"DELETE FROM {TABLE} WHERE seq = 1")
    assert problems() == {2: ["1 rows before it are missing"]}


def test_missing_rows_in_the_middle_are_found() -> None:
    write(10)
    sql(f"DELETE FROM {TABLE} WHERE seq IN (4, 5, 6)")
    assert problems() == {7: ["3 rows before it are missing"]}


def test_a_row_that_was_taken_out_and_the_gap_closed_is_found() -> None:
    write(10)
    sql(f"DELETE FROM {TABLE} WHERE seq = 5")
    for seq in range(6, 11):
        set_values(seq, seq=seq - 1)
    assert set(problems()) == {5, 6, 7, 8, 9}


def test_two_rows_that_changed_places_are_found() -> None:
    write(10)
    for old, new in ((4, 1000), (7, 4), (1000, 7)):
        set_values(old, seq=new)
    assert {4, 5, 7, 8} <= set(problems())


def test_two_rows_that_changed_all_but_their_numbers_are_found() -> None:
    write(10)
    names = "payload, previous, mac, action, at"
    (one,), (other,) = (sql(f"SELECT {names} FROM {TABLE} WHERE seq = %s", seq) for seq in (4, 7))
    for seq, values in ((4, other), (7, one)):
        set_values(seq, **dict(zip(names.split(", "), values, strict=True)))
    found = problems()
    assert "it does not follow from the row before it: one of them was put in, or moved" in found[4]
    assert "its columns seq say something else than what was written" in found[7]


def insert(entry: AuditEntry) -> None:
    entry.save(force_insert=True)


def forged(seq: int, previous: str, *, key: str, key_id: str = "") -> AuditEntry:
    """A row made by somebody who knows everything about the chain but its key."""
    at = timezone.now()
    payload = audit._payload(
        seq=seq, at=at, phase="console", actor="mallory", action="nothing", server="", environment="", run=None,
        result="done", facts={},
    )  # fmt: skip
    mac = hmac.digest(key.encode(), previous.encode() + payload.encode(), "sha256").hex()
    return AuditEntry(
        seq=seq, at=at, phase="console", actor="mallory", action="nothing", result="done", payload=payload,
        previous=previous, mac=mac, key_id=key_id or audit.newest_key_id(),
    )  # fmt: skip


def test_a_forged_row_at_the_end_is_found() -> None:
    last = write(10)[-1]
    insert(forged(11, last.mac, key=OTHER_KEY))
    assert problems() == {11: ["it was changed after it was written"]}


def test_a_forged_row_in_the_middle_is_found() -> None:
    entries = write(10)
    for seq in range(10, 4, -1):
        set_values(seq, seq=seq + 1)
    insert(forged(5, entries[3].mac, key=OTHER_KEY))
    found = problems()
    assert found[5] == ["it was changed after it was written"]
    assert set(found) == set(range(5, 12)), "every row after it was renumbered"


def rewritten(*, mac_of: Callable[[str, str], str], key_id: str, change: Callable[[int, str], str]) -> None:
    """Every row anew: changed as somebody likes it, and linked again."""
    previous = audit.BEGINNING
    for seq, payload in sql(f"SELECT seq, payload FROM {TABLE} ORDER BY seq"):
        text = change(seq, payload)
        told = msgspec.json.decode(text)
        mac = mac_of(previous, text)
        set_values(seq, payload=text, previous=previous, mac=mac, key_id=key_id, actor=told["actor"])
        previous = mac


def blamed(seq: int, payload: str) -> str:
    return payload.replace('"alice"', '"bob"') if seq == 5 else payload


def foreign(previous: str, payload: str) -> str:
    return hmac.digest(OTHER_KEY.encode(), previous.encode() + payload.encode(), "sha256").hex()


def test_a_chain_that_was_linked_again_with_another_key_is_found_in_every_row() -> None:
    write(10)
    rewritten(mac_of=foreign, key_id="f" * 12, change=blamed)
    assert set(problems()) == set(range(1, 11))
    assert problems()[1] == ["its key ffffffffffff is not among the console's"]


def test_a_chain_that_was_linked_again_and_names_our_key_is_found_in_every_row() -> None:
    write(10)
    rewritten(mac_of=foreign, key_id=audit.newest_key_id(), change=blamed)
    assert set(problems()) == set(range(1, 11))


# -- what only an anchor can find --------------------------------------------------------------------------------------


def ours(previous: str, payload: str) -> str:
    return audit.mac_of(previous, payload, key_id=audit.newest_key_id())


def test_a_chain_written_anew_with_the_consoles_own_key_is_found_by_an_anchor_alone() -> None:
    write(10)
    rewritten(mac_of=ours, key_id=audit.newest_key_id(), change=blamed)
    assert problems() == {}, "without an anchor nobody can tell"


def test_an_anchor_finds_a_chain_that_was_written_anew() -> None:
    write(10)
    anchors.drop_anchor()
    write(3)
    rewritten(mac_of=ours, key_id=audit.newest_key_id(), change=blamed)
    (words,) = problems()[10]
    assert words.startswith("an anchor of ") and words.endswith("knows another row of this number")


def test_a_tail_that_was_cut_off_is_found_by_an_anchor() -> None:
    write(10)
    anchors.drop_anchor()
    sql(f"DELETE FROM {TABLE} WHERE seq > 7")
    (words,) = problems()[10]
    assert words.endswith("knows this row; the chain ends before it")


def test_a_tail_that_was_cut_off_after_the_last_anchor_is_found_by_an_earlier_check() -> None:
    write(10)
    assert audit_chain.check().problem == ""
    sql(f"DELETE FROM {TABLE} WHERE seq > 7")
    assert problems() == {10: ["an earlier check knows this row; the chain ends before it"]}


def test_a_tail_that_was_cut_off_and_written_anew_is_found_by_an_anchor() -> None:
    write(10)
    anchors.drop_anchor()
    sql(f"DELETE FROM {TABLE} WHERE seq > 7")
    write(3, actor="mallory")
    assert list(problems()) == [10]


def test_the_whole_audit_emptied_is_found_by_an_anchor() -> None:
    write(10)
    anchors.drop_anchor()
    sql(f"DELETE FROM {TABLE}")
    assert list(problems()) == [10]


@pytest.mark.parametrize(
    "line",
    [
        json.dumps({"seq": 3, "mac": "a" * 64, "at": "2026-11-24T00:00:00+00:00", "proof": "b" * 64}),
        '{"seq": 3, "mac": "", "at": "", "proof": "ünlike"}',
        '{"seq": 3}',
        "not even JSON",
        "\udcff".encode("utf-8", "surrogateescape").decode("latin-1"),
    ],
)
def test_a_forged_anchor_is_found(anchor_file: Path, line: str) -> None:
    write(5)
    anchors.drop_anchor()
    with anchor_file.open("a", encoding="utf-8") as file:
        file.write(f"{line}\n")
    found = problems()
    assert [words for each in found.values() for words in each] == [
        "an anchor outside of the database was not written by this console"
    ]


def test_an_anchor_whose_number_was_changed_is_found(anchor_file: Path) -> None:
    write(5)
    anchors.drop_anchor()
    told = json.loads(anchor_file.read_text())
    anchor_file.write_text(json.dumps({**told, "seq": 4}) + "\n")
    assert "an anchor outside of the database was not written by this console" in problems()[4]


def test_anchors_that_were_thrown_away_are_missed(anchor_file: Path) -> None:
    write(5)
    anchors.drop_anchor()
    anchor_file.unlink()
    assert problems() == {5: ["its anchor outside of the database is gone, or cannot be read"]}


# -- anchors -----------------------------------------------------------------------------------------------------------


def test_an_anchor_is_written_only_when_something_was_added(anchor_file: Path) -> None:
    assert anchors.drop_anchor() is None
    write(2)
    made = anchors.drop_anchor()
    assert made is not None and made.seq == 2
    assert anchors.drop_anchor() is None
    write(1)
    assert anchors.drop_anchor() is not None
    assert [json.loads(line)["seq"] for line in anchor_file.read_text().splitlines()] == [2, 3]
    assert anchor_file.stat().st_mode & 0o777 == 0o600
    assert audit_chain.verify().ok


def test_one_place_for_anchors_that_takes_it_is_enough(anchor_file: Path, settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "a file").touch()
    settings.AUDIT_ANCHOR_FILES = [tmp_path / "a file" / "below" / "anchors.jsonl", anchor_file]
    write(2)
    assert anchors.drop_anchor() is not None
    assert audit_chain.verify().ok
    settings.AUDIT_ANCHOR_FILES = settings.AUDIT_ANCHOR_FILES[:1]
    write(1)
    with pytest.raises(OSError, match="Not a directory"):
        anchors.drop_anchor()
    assert Anchor.objects.count() == 1, "an anchor that stands nowhere is none"


def test_an_anchor_holds_no_word_of_the_audit(anchor_file: Path) -> None:
    write(3, actor="alice")
    anchors.drop_anchor()
    assert "alice" not in anchor_file.read_text() and "step" not in anchor_file.read_text()


# -- checks ------------------------------------------------------------------------------------------------------------


def test_the_verdicts_of_200_checks_are_kept() -> None:
    write(1)
    ChainCheck.objects.bulk_create(ChainCheck(rows_count=1, last_seq=1, took_s=0) for _ in range(250))
    audit_chain.check()
    assert ChainCheck.objects.count() == 200


def test_a_broken_chain_is_walked_to_its_end_and_its_first_hundred_faults_are_told() -> None:
    write(150)
    sql(f"UPDATE {TABLE} SET result = 'fine'")
    found = audit_chain.verify()
    assert found.rows_count == 150 and len(found.problems) == 100


# -- the database's own refusal ----------------------------------------------------------------------------------------


@pytest.fixture
def kept(append_only_audit: None) -> Iterator[None]:
    yield


@pytest.mark.parametrize("statement", [f"UPDATE {TABLE} SET actor = 'mallory'", f"DELETE FROM {TABLE}"])
def test_the_database_refuses_to_change_or_delete_a_row(kept: None, statement: str) -> None:
    write(3)
    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
        sql(statement)
    write(1)
    assert audit_chain.verify().ok and AuditEntry.objects.count() == 4


@pytest.mark.skipif("connection.vendor != 'postgresql'", reason="only PostgreSQL has TRUNCATE")
def test_the_database_refuses_to_empty_the_table(kept: None) -> None:
    write(3)
    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
        sql(f"TRUNCATE {TABLE}")
    assert AuditEntry.objects.count() == 3


def test_the_console_itself_has_no_way_to_change_or_delete_a_row() -> None:
    entry = write(1)[0]
    with pytest.raises(TypeError, match="append-only"):
        AuditEntry.objects.filter(seq=1).update(actor="mallory")
    with pytest.raises(TypeError, match="append-only"):
        AuditEntry.objects.all().delete()
    with pytest.raises(TypeError, match="append-only"):
        entry.delete()
    entry.actor = "mallory"
    with pytest.raises(TypeError, match="append-only"):
        entry.save()
    assert AuditEntry.objects.get().actor == "alice"
