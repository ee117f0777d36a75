"""What is written down, that nothing happens where it cannot be, and the page that shows it."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.db import DatabaseError, connection
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from apps.accounts import people
from apps.accounts.models import Operator, Role, ScopeKind
from apps.engine.text import ref
from apps.operations import audit, audit_chain
from apps.operations.audited import title_of
from apps.operations.models import AuditEntry, Plan, Run
from apps.operations.models.audit import Phase
from apps.operations.views.audit import spreadsheet_safe
from apps.servers.models import Server
from tests.accounts.conftest import make_fresh, set_up_factor, sign_in
from tests.conftest import PASSWORD
from tests.operations.door import OpenDoor, register_redis
from tests.real_servers import RedisServer

pytestmark = pytest.mark.django_db(transaction=True)
SignIn = Callable[[Operator], Client]


def entries(**chosen: Any) -> list[tuple[str, str, str]]:
    found = AuditEntry.objects.filter(**chosen).order_by("seq")
    return [(entry.actor, entry.action, entry.result) for entry in found]


def facts_of(entry: AuditEntry) -> dict[str, Any]:
    facts: dict[str, Any] = json.loads(entry.payload)["facts"]
    return facts


@pytest.fixture
def refusing(transactional_db: None) -> Iterator[None]:
    """An audit that takes no row, as on a full disk."""
    make: tuple[str, ...]
    drop: tuple[str, ...]
    if connection.vendor == "postgresql":
        make = (
            "CREATE FUNCTION no_room() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'no room'; END $$",
            "CREATE TRIGGER no_room BEFORE INSERT ON operations_auditentry FOR EACH ROW EXECUTE FUNCTION no_room()",
        )
        drop = ("DROP TRIGGER no_room ON operations_auditentry", "DROP FUNCTION no_room")
    else:
        make = (
            "CREATE TRIGGER no_room BEFORE INSERT ON operations_auditentry BEGIN SELECT RAISE(ABORT, 'no room'); END",
        )
        drop = ("DROP TRIGGER no_room",)
    with connection.cursor() as cursor:
        for statement in make:
            cursor.execute(statement)
        yield
        for statement in drop:
            cursor.execute(statement)


# -- nothing that is not written down ----------------------------------------------------------------------------------


def test_there_is_no_run_when_the_audit_cannot_be_written(
    redis_clean: RedisServer, alice: Operator, door: OpenDoor, request: pytest.FixtureRequest
) -> None:
    redis_clean.command("SET", "cart:1", "apples")
    at = door(alice)
    plan = at.plans("keyspace.delete_key", name=b"cart:1")
    request.getfixturevalue("refusing")
    with pytest.raises(DatabaseError, match="no room"):
        at.submits(plan)
    assert not Run.objects.exists() and not AuditEntry.objects.exists()
    assert redis_clean.command("GET", "cart:1") == b"apples"
    assert Plan.objects.get().state == "ready", "it can be run when there is room again"


def test_no_value_is_shown_when_the_audit_cannot_be_written(
    redis_clean: RedisServer, alice: Operator, as_operator: SignIn, request: pytest.FixtureRequest
) -> None:
    redis_clean.command("SET", "cart:1", "three apples")
    register_redis(redis_clean)
    client = as_operator(alice)
    client.raise_request_exception = False
    page = f"/servers/cache/keyspace/?key={ref(b'cart:1')}&show=1"
    assert b"three apples" in client.get(page).content
    AuditEntry.objects.filter(action="data.unmask")._raw_delete("default")
    request.getfixturevalue("refusing")
    refused = client.get(page)
    assert refused.status_code >= 500 and b"three apples" not in refused.content
    assert client.get(page.replace("&show=1", "")).status_code == 200, "what is masked can be looked at"


def test_no_role_is_granted_when_the_audit_cannot_be_written(charlie: Operator, refusing: None) -> None:
    wanted = people.Grant(
        role=Role.ADMIN, scope_kind=ScopeKind.ALL, scope_key="", expires_at=None, reason="OPS-1: he asked"
    )
    with pytest.raises(DatabaseError, match="no room"):
        people.grant(charlie, wanted, by="dana")
    assert not charlie.assignments.exists()


# -- sign-ins ----------------------------------------------------------------------------------------------------------


def test_sign_ins_and_their_ends_are_written_down_with_their_address(alice: Operator) -> None:
    visitor = sign_in("alice", address="198.51.100.9")
    visitor.post("/accounts/logout/")
    assert entries() == [("alice", "session.begin", "done"), ("alice", "session.end", "done")]
    assert facts_of(AuditEntry.objects.get(seq=1))["who"]["address"] == "198.51.100.9"
    assert PASSWORD not in str(list(AuditEntry.objects.values_list("payload", flat=True)))


def test_a_wrong_password_is_written_down_without_what_was_typed(alice: Operator) -> None:
    sign_in("alice", "a wrong passphrase")
    sign_in("my secret passphrase", "alice")
    assert entries(phase="sign-in") == [("alice", "session.begin", "denied"), ("unknown", "session.begin", "denied")]
    written = str(list(AuditEntry.objects.values_list("payload", flat=True)))
    assert "wrong" not in written and "secret" not in written
    assert facts_of(AuditEntry.objects.get(seq=2))["who"]["address"] == "198.51.100.7"


def test_whoever_hammers_fills_no_audit(alice: Operator) -> None:
    for _ in range(30):
        sign_in("alice", "a wrong passphrase")
    assert AuditEntry.objects.count() == 5


def test_with_a_second_factor_a_session_begins_after_it(alice: Operator) -> None:
    set_up_factor(alice)
    sign_in("alice")
    assert entries() == [], "the password alone is no session"


def test_a_fresh_proof_is_written_down(alice: Operator) -> None:
    visitor = sign_in("alice")
    visitor.post("/accounts/reauthenticate/", {"password": PASSWORD})
    assert entries()[-1] == ("alice", "session.prove", "done")


# -- denied tries ------------------------------------------------------------------------------------------------------


def test_a_denied_page_is_written_down_once_however_often_it_is_asked_for(bob: Operator, as_operator: SignIn) -> None:
    Server.objects.create(key="shop", kind="redis", environment="prod", addresses=[{"host": "127.0.0.1", "port": 1}])
    client = as_operator(bob)
    for _ in range(3):
        assert client.get("/servers/shop/acl/").status_code == 403
    assert entries() == [("bob", "acl.view", "denied")]
    entry = AuditEntry.objects.get()
    assert (entry.phase, entry.server_key, entry.environment) == ("denied", "shop", "prod")
    assert facts_of(entry)["page"] == "GET /servers/shop/acl/"
    client.get("/servers/shop/keyspace/")
    assert entries()[1:] == [("bob", "keyspace.names", "denied")]


def test_every_denied_change_is_written_down(bob: Operator, as_operator: SignIn) -> None:
    client = as_operator(bob)
    for _ in range(2):
        assert client.post("/deliveries/again/").status_code == 403
    assert entries() == [("bob", "freezes.manage", "denied")] * 2


def test_a_denied_plan_is_written_down_once(redis_clean: RedisServer, bob: Operator, as_operator: SignIn) -> None:
    register_redis(redis_clean)
    redis_clean.command("SET", "cart:1", "apples")
    client = as_operator(bob)
    assert client.post("/servers/cache/do/keyspace.delete_key/", {"name": ref(b"cart:1")}).status_code == 403
    assert entries() == [("bob", "keyspace.delete_key", "denied")]
    assert redis_clean.command("EXISTS", "cart:1") == 1


def test_what_only_asks_for_more_is_no_denial(dana: Operator, as_operator: SignIn) -> None:
    as_operator(dana).post("/audit/export/")
    assert entries() == []


# -- reads of unmasked data --------------------------------------------------------------------------------------------


def test_a_value_that_is_shown_is_written_down_once_a_look(
    redis_clean: RedisServer, alice: Operator, as_operator: SignIn
) -> None:
    redis_clean.command("SET", "cart:1", "three apples")
    redis_clean.command("SET", "cart:2", "pears")
    register_redis(redis_clean)
    client = as_operator(alice)
    masked = f"/servers/cache/keyspace/?key={ref(b'cart:1')}"
    assert b"three apples" not in client.get(masked).content
    assert entries() == []
    for _ in range(3):
        assert b"three apples" in client.get(f"{masked}&show=1").content
    client.get(f"/servers/cache/keyspace/?key={ref(b'cart:2')}&show=1")
    assert entries(phase="read") == [("alice", "data.unmask", "done")] * 2
    entry = AuditEntry.objects.get(seq=1)
    assert (entry.server_key, entry.environment) == ("cache", "dev")
    assert ref(b"cart:1") in facts_of(entry)["page"] and "apples" not in entry.payload


def test_whoever_may_not_see_values_leaves_a_denial_and_no_read(
    redis_clean: RedisServer, bob: Operator, as_operator: SignIn
) -> None:
    redis_clean.command("SET", "cart:1", "three apples")
    register_redis(redis_clean)
    page = as_operator(bob).get(f"/servers/cache/keyspace/?key={ref(b'cart:1')}&show=1")
    assert page.status_code == 403 and b"three apples" not in page.content
    assert entries() == [("bob", "data.unmask", "denied")]


# -- changes of the console --------------------------------------------------------------------------------------------


def test_what_an_admin_does_with_operators_is_written_down(charlie: Operator, dana: Operator) -> None:
    wanted = people.Grant(
        role=Role.VIEWER, scope_kind=ScopeKind.SERVER, scope_key="shop", expires_at=None, reason="OPS-1: support"
    )
    held = people.grant(charlie, wanted, by="dana")
    people.revoke(held, by="dana")
    people.lock(charlie, by="dana", reason="OPS-2: left")
    people.unlock(charlie, by="dana")
    _, code = people.invite("frank", by="dana")
    people.reset_second_factor(charlie, by="dana")
    assert [action for _, action, _ in entries(phase="console", actor="dana")] == [
        "operator.grant", "operator.revoke", "operator.lock", "operator.unlock", "operator.invite", "operator.code",
        "operator.reset_factor",
    ]  # fmt: skip
    granted = facts_of(AuditEntry.objects.get(action="operator.grant"))
    assert (
        granted.items()
        >= {"operator": "charlie", "role": "viewer", "scope_key": "shop", "reason": "OPS-1: support"}.items()
    )
    written = str(list(AuditEntry.objects.values_list("payload", flat=True)))
    assert code not in written and code.replace("-", "") not in written


def test_a_servers_registration_and_its_end_are_written_down_without_secrets(
    redis_clean: RedisServer, dana: Operator, as_operator: SignIn, settings: Settings
) -> None:
    settings.REQUIRE_SECOND_FACTOR = False
    client = as_operator(dana)
    make_fresh(client)
    server = register_redis(redis_clean)
    answer = client.post("/servers/cache/remove/", {"typed": "cache"})
    assert answer.status_code == 302, answer.content[-2000:]
    entry = AuditEntry.objects.get(action="server.remove")
    assert (entry.actor, entry.server_key) == ("dana", "cache")
    assert facts_of(entry)["addresses"] == [str(a) for a in server.address_list()]
    assert not Server.objects.exists()


def test_every_act_of_the_console_has_words() -> None:
    for key in (
        "session.begin",
        "operator.grant",
        "server.remove",
        "message.again",
        "data.unmask",
        "keyspace.delete_key",
    ):
        assert title_of(key) != key
    assert title_of("an.action of an older version") == "an.action of an older version"


# -- the page ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def furnished() -> None:
    audit.append(
        Phase.INTENT,
        actor="alice",
        action="keyspace.delete_key",
        server_key="shop",
        environment="dev",
        run_number=7,
        result="queued",
    )
    audit.append(
        Phase.OUTCOME,
        actor="alice",
        action="keyspace.delete_key",
        server_key="shop",
        environment="dev",
        run_number=7,
        result="done",
    )
    audit.append(
        Phase.DENIED,
        actor="bob",
        action="acl.view",
        server_key="other",
        environment="prod",
        result="denied",
        why="no role",
    )
    audit.append(Phase.READ, actor="alice", action="data.unmask", server_key="shop", environment="dev", result="done")
    audit.append(Phase.SIGN_IN, actor="bob", action="session.begin", result="done")
    audit.append(
        Phase.CONSOLE, actor="dana", action="freeze.begin", result="done", reason="OPS-77 <script>alert(1)</script>"
    )


def shown(client: Client, query: str = "") -> list[int]:
    response = client.get(f"/audit/?{query}")
    assert response.status_code == 200
    return [row.seq for row in response.context["rows"]]


@pytest.mark.parametrize(
    ("query", "rows"),
    [
        ("", [6, 5, 4, 3, 2, 1]), ("kind=changes", [2, 1]), ("kind=denied", [3]), ("kind=read", [4]), ("kind=sign-ins", [5]),
        ("kind=console", [6]), ("kind=approvals", []), ("who=bob", [5, 3]), ("server=shop", [4, 2, 1]), ("q=OPS-77", [6]),
        ("q=7", [6, 2, 1]), ("who=alice&kind=changes&server=shop&q=done", [2]), ("days=1", [6, 5, 4, 3, 2, 1]),
        ("before=3", [2, 1]), ("kind=nonsense&days=x&before=y&row=z", [6, 5, 4, 3, 2, 1]),
        ("q=" + "9" * 70, []), ("before=" + "9" * 70, [6, 5, 4, 3, 2, 1]), ("row=" + "9" * 70, [6, 5, 4, 3, 2, 1]),
        ("who=%00&q=%00", [6, 5, 4, 3, 2, 1]),
    ],
)  # fmt: skip
def test_filters_choose_rows(query: str, rows: list[int], furnished: None, erin: Operator, as_operator: SignIn) -> None:
    found = shown(as_operator(erin), query)
    assert found == rows or (query == "q=7" and set(rows) <= set(found))


def test_everybody_sees_their_own_rows_and_auditors_all(
    furnished: None, alice: Operator, bob: Operator, charlie: Operator, dana: Operator, erin: Operator, as_operator: SignIn
) -> None:  # fmt: skip
    assert shown(as_operator(alice)) == [4, 2, 1]
    assert shown(as_operator(alice), "who=bob") == []
    assert shown(as_operator(bob)) == [5, 3]
    assert shown(as_operator(charlie)) == []
    assert shown(as_operator(erin)) == shown(as_operator(dana)) == [6, 5, 4, 3, 2, 1]
    assert as_operator(bob).get("/audit/?row=6").context["opened"] is None


def test_an_opened_row_shows_its_facts_escaped(furnished: None, erin: Operator, as_operator: SignIn) -> None:
    page = as_operator(erin).get("/audit/?row=6").content.decode()
    assert "Freeze changes" in page and "OPS-77 &lt;script&gt;" in page and "<script>alert" not in page
    assert AuditEntry.objects.get(seq=6).mac[:16] in page


def test_a_broken_chain_is_the_headline(
    furnished: None, erin: Operator, as_operator: SignIn, private_folders: None
) -> None:
    client = as_operator(erin)
    assert b"was not checked yet" in client.get("/audit/").content
    client.post("/audit/verify/")
    assert b"6 rows, unbroken" in client.get("/audit/").content
    with connection.cursor() as cursor:
        cursor.execute("UPDATE operations_auditentry SET actor = 'mallory' WHERE seq = 2")
    client.post("/audit/verify/")
    assert b"The chain is broken: row 2: its columns actor" in client.get("/audit/").content


def test_verifying_and_exporting_are_for_auditors(
    furnished: None, alice: Operator, bob: Operator, charlie: Operator, as_operator: SignIn
) -> None:
    for person in (alice, bob, charlie):
        for path in ("/audit/verify/", "/audit/export/"):
            assert as_operator(person).post(path).status_code == 403


# -- the export --------------------------------------------------------------------------------------------------------


def exported(response: Any) -> list[dict[str, str]]:
    text = b"".join(response.streaming_content).decode()
    return list(csv.DictReader(io.StringIO(text)))


def test_an_export_holds_what_the_filters_choose_and_is_written_down_first(
    furnished: None, erin: Operator, as_operator: SignIn
) -> None:
    response = as_operator(erin).post("/audit/export/?kind=changes")
    assert response["Content-Type"].startswith("text/csv") and "attachment" in response["Content-Disposition"]
    rows = exported(response)
    assert [(row["seq"], row["actor"], row["result"]) for row in rows] == [
        ("2", "alice", "done"),
        ("1", "alice", "queued"),
    ]
    assert json.loads(rows[0]["payload"])["run"] == 7, "with the very text that was hashed"
    last = AuditEntry.objects.first()
    assert last is not None and (last.actor, last.action, last.phase) == ("erin", "audit.export", "read")
    assert facts_of(last)["query"] == "kind=changes"
    assert audit_chain.verify().ok


@pytest.mark.parametrize(
    "text",
    ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", " =1", "  @x", "\x00=1", "\uff1d1", "\uff0b1", "\uff20x",
     "=cmd|' /C calc'!A0", "\u00a0=1"],
)  # fmt: skip
def test_no_spreadsheet_takes_a_cell_for_a_formula(text: str) -> None:
    assert spreadsheet_safe(text) == f"'{text}"


@pytest.mark.parametrize("value", ["alice", "a=b", "1", 7, None, "", '"quoted"', "line\nbreak"])
def test_what_is_no_formula_stays_as_it_is(value: Any) -> None:
    assert spreadsheet_safe(value) == ("" if value is None else str(value))


def test_hostile_cells_stay_in_their_cells(erin: Operator, as_operator: SignIn) -> None:
    hostile = ['=HYPERLINK("http://evil")', 'a","b\r\n=1+1,"', "@x\ny"]
    for text in hostile:
        audit.append(Phase.CONSOLE, actor=text[:64], action=text, result="done")
    rows = exported(as_operator(erin).post("/audit/export/"))
    mine = [row["actor"] for row in rows][::-1]
    assert mine[:3] == [f"'{hostile[0]}", hostile[1], f"'{hostile[2]}"]
    assert all(len(row) == 11 for row in rows)
    assert all(not value.startswith(("=", "+", "-", "@")) for row in rows for value in row.values())


def test_an_export_that_would_be_too_long_says_so(
    erin: Operator, as_operator: SignIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    from apps.operations.views import audit as page

    monkeypatch.setattr(page, "MOST_EXPORTED", 3)
    for n in range(5):
        audit.append(Phase.CONSOLE, actor=f"a{n}", action="x")
    rows = exported(as_operator(erin).post("/audit/export/"))
    assert len(rows) == 4 and rows[-1]["seq"].startswith("These are the newest 3")


def test_old_rows_are_left_out_by_the_period(erin: Operator, as_operator: SignIn) -> None:
    audit.append(Phase.CONSOLE, actor="alice", action="x")
    with connection.cursor() as cursor:
        cursor.execute("UPDATE operations_auditentry SET at = %s", [timezone.now() - timedelta(days=8)])
    audit.append(Phase.CONSOLE, actor="alice", action="y")
    client = as_operator(erin)
    assert shown(client, "days=7") == [2] and shown(client, "days=30") == [2, 1]
