"""Deploy marks: made with a token that covers the place, refused with words that say what to do."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.test import Client
from django.utils import timezone

from apps.accounts.models import Operator, Role
from apps.history import deploys
from apps.history.deploy_models import DeployToken, MarkTry
from apps.history.models import Event
from apps.operations.models import AuditEntry
from apps.servers.models import Server
from tests.conftest import PASSWORD, person

pytestmark = pytest.mark.django_db
SignIn = Callable[[Operator], Client]


@pytest.fixture
def shop(db: None) -> Server:
    return Server.objects.create(key="shop-db", kind="postgres", environment="prod")


@pytest.fixture
def token(shop: Server) -> str:
    """One that marks prod."""
    return deploys.add_token("ci-shop", environments=["prod"], by="dana")[1]


def post(token: str | None, data: Any = None, *, client: Client | None = None, **more: Any) -> Any:
    """POST a mark as curl would: no cookie, no CSRF token, JSON unless told otherwise."""
    headers = {} if token is None else {"authorization": f"Bearer {token}"}
    sent = {"content_type": "application/json", **more}
    return (client or Client(enforce_csrf_checks=True)).post("/marks/deploy", data, headers=headers, **sent)


# -- marks ----------------------------------------------------------------------------------------------------------------


def test_a_mark_is_made_as_json(token: str, shop: Server) -> None:
    answer = post(token, {"name": "shop 1.4.2", "server": "shop-db", "url": "https://ci.example/run/42"})
    event = Event.objects.get()
    assert answer.status_code == 201
    assert answer.json() == {
        "id": event.pk, "name": "shop 1.4.2", "at": event.at.isoformat(), "server": "shop-db", "environment": "prod",
        "url": "https://ci.example/run/42",
    }  # fmt: skip
    assert (event.kind, event.server, event.words, event.detail) == ("deploy", shop, "shop 1.4.2", {"token": "ci-shop"})


def test_a_mark_is_made_as_a_form(token: str) -> None:
    answer = Client(enforce_csrf_checks=True).post(
        "/marks/deploy", {"name": "shop 1.4.2", "environment": "prod"}, headers={"authorization": f"bearer {token}"}
    )
    event = Event.objects.get()
    assert answer.status_code == 201
    assert (event.server, event.environment, event.words) == (None, "prod", "shop 1.4.2")


def test_a_token_of_one_place_needs_no_place_named(token: str) -> None:
    assert post(token, {"name": "shop 1.4.2"}).json()["environment"] == "prod"


def test_a_token_of_two_places_needs_one_named(shop: Server) -> None:
    _, token = deploys.add_token("two", environments=["dev"], servers=["shop-db"], by="dana")
    answer = post(token, {"name": "shop 1.4.2"})
    assert answer.status_code == 422 and answer.json()["error"].endswith("this token marks dev, shop-db.")
    assert post(token, {"name": "shop 1.4.2", "server": "shop-db"}).status_code == 201


def test_a_good_token_notes_when_it_was_used(token: str) -> None:
    post(token, {"name": "shop 1.4.2"})
    used_at = DeployToken.objects.get().used_at
    assert used_at is not None and timezone.now() - used_at < timedelta(seconds=10)


# -- tokens that do not count -----------------------------------------------------------------------------------------------


def refused(answer: Any) -> None:
    assert answer.status_code == 401 and answer["WWW-Authenticate"] == "Bearer"
    assert "manage.py deploy_token add" in answer.json()["error"]
    assert not Event.objects.exists()


def test_without_a_token_nothing_is_marked(shop: Server) -> None:
    refused(post(None, {"name": "x"}))


@pytest.mark.parametrize(
    "change",
    [
        lambda t: t[:-1],
        lambda t: f"{t}x",
        lambda t: t[:-1] + ("A" if t[-1] != "A" else "B"),
        lambda t: "x",
        lambda t: "",
    ],
)
def test_a_token_that_is_not_quite_right_marks_nothing(change: Callable[[str], str], token: str) -> None:
    refused(post(change(token), {"name": "x"}))


def test_a_token_in_another_place_than_the_header_marks_nothing(token: str) -> None:
    refused(post(None, {"name": "x", "token": token}))
    refused(Client().post(f"/marks/deploy?token={token}", {"name": "x"}))


def test_a_revoked_token_and_an_expired_one_mark_nothing(token: str) -> None:
    deploys.revoke(DeployToken.objects.get(), by="dana")
    refused(post(token, {"name": "x"}))
    past = timezone.now() - timedelta(seconds=1)
    refused(post(deploys.add_token("old", environments=["prod"], by="dana", expires_at=past)[1], {"name": "x"}))


def test_a_session_is_no_token(token: str, alice: Operator, as_operator: SignIn) -> None:
    refused(post(None, {"name": "x"}, client=as_operator(alice)))


def test_the_token_is_kept_nowhere_as_it_is(token: str) -> None:
    secret = token.rpartition("_")[2]
    kept = [str(row) for model in (DeployToken, MarkTry, AuditEntry, Event) for row in model.objects.values()]
    assert not any(secret in row or token in row for row in kept) and len(kept) >= 2


def test_nobody_reads_marks_here() -> None:
    assert Client().get("/marks/deploy").status_code == 405


# -- out of scope -----------------------------------------------------------------------------------------------------------


def test_another_environment_is_not_the_tokens_to_mark(token: str) -> None:
    answer = post(token, {"name": "x", "environment": "dev"})
    assert answer.status_code == 403 and "may not mark dev" in answer.json()["error"]
    assert post(token, {"name": "x", "environment": "nowhere"}).status_code == 404


def test_a_server_out_of_its_scope_looks_like_one_that_is_not_there(token: str) -> None:
    Server.objects.create(key="secret-db", kind="postgres", environment="dev")
    hidden, missing = (post(token, {"name": "x", "server": key}) for key in ("secret-db", "no-such-db"))
    assert hidden.status_code == missing.status_code == 404
    assert hidden.json() == missing.json()
    assert not Event.objects.exists()


def test_a_token_of_a_server_marks_not_its_environment(shop: Server) -> None:
    _, token = deploys.add_token("narrow", servers=["shop-db"], by="dana")
    assert post(token, {"name": "x", "environment": "prod"}).status_code == 403


# -- what does not fit ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sent", "field"),
    [
        ({}, "name"),
        ({"name": " "}, "name"),
        ({"name": "x" * 201}, "name"),
        ({"name": "a\x00b"}, "name"),
        ({"name": "x", "url": "javascript:alert(1)"}, "url"),
        ({"name": "x", "url": "//evil.example/"}, "url"),
        ({"name": "x", "url": "https://user:CANARY@ci.example/"}, "url"),
        ({"name": "x", "url": "https://ci.example/" + "x" * 400}, "url"),
        ({"name": "x", "server": "shop-db", "environment": "prod"}, "environment"),
    ],
)
def test_what_does_not_fit_is_named(sent: dict[str, str], field: str, token: str) -> None:
    answer = post(token, sent)
    assert answer.status_code == 422 and list(answer.json()["fields"]) == [field]
    assert "CANARY" not in answer.content.decode() and not Event.objects.exists()


@pytest.mark.parametrize(
    "body", ["", "{", "[]", '"x"', '{"name": 7}', '{"name": ["x"]}', '{"name": "\\ud800"}', "[" * 8000, b"\xff\xfe{"]
)
def test_what_is_no_object_of_texts_is_refused(body: Any, token: str) -> None:
    assert post(token, body).status_code == 422
    assert not Event.objects.exists()


def test_a_broken_multipart_form_is_refused(token: str) -> None:
    assert post(token, b"--x\r\nnot a form", content_type="multipart/form-data; boundary=").status_code == 422


def test_more_than_16_kib_is_refused_before_it_is_read(token: str) -> None:
    answer = post(token, {"name": "x" * 17_000})
    assert answer.status_code == 413 and "not the log of the deploy" in answer.json()["error"]


def test_hostile_names_are_shown_as_text(token: str, alice: Operator, as_operator: SignIn) -> None:
    post(token, {"name": "<script>alert(1)</script>\u202e"})
    page = as_operator(alice).get("/timeline/").content.decode()
    assert "<script>alert(1)" not in page and "&lt;script&gt;alert(1)" in page and "\u202e" not in page


# -- limits -----------------------------------------------------------------------------------------------------------------


def test_an_address_that_guesses_is_shut_out_for_a_while(token: str) -> None:
    statuses = [post("wrong", {"name": "x"}).status_code for _ in range(deploys.REFUSED_PER_ADDRESS + 1)]
    assert statuses == [401] * deploys.REFUSED_PER_ADDRESS + [429]
    answer = post(token, {"name": "x"})
    assert answer.status_code == 429 and 0 < int(answer["Retry-After"]) <= 900
    assert "Try again in" in answer.json()["error"]
    MarkTry.objects.update(at=timezone.now() - timedelta(minutes=16))
    assert post(token, {"name": "x"}).status_code == 201


def test_refused_tries_fill_no_table(token: str) -> None:
    for _ in range(deploys.REFUSED_PER_ADDRESS + 5):
        post("wrong", {"name": "x"})
    assert MarkTry.objects.count() == deploys.REFUSED_PER_ADDRESS


def test_a_token_marks_sixty_times_in_a_quarter_of_an_hour(token: str) -> None:
    made = DeployToken.objects.get()
    now = timezone.now()
    MarkTry.objects.bulk_create(MarkTry(at=now, address="10.0.0.1", token=made) for _ in range(59))
    assert post(token, {"name": "x"}).status_code == 201
    answer = post(token, {"name": "x"})
    assert answer.status_code == 429 and "ci-shop made 60 marks in 15 minutes" in answer.json()["error"]
    other = deploys.add_token("ci-other", environments=["prod"], by="dana")[1]
    assert post(other, {"name": "x"}).status_code == 201


# -- the page of an admin ---------------------------------------------------------------------------------------------------


def fresh(client: Client) -> Client:
    client.post("/accounts/reauthenticate/", {"password": PASSWORD})
    return client


def test_an_admin_makes_a_token_sees_it_once_and_revokes_it(shop: Server, dana: Operator, as_operator: SignIn) -> None:
    client = fresh(as_operator(dana))
    page = client.post("/marks/tokens/", {"name": "ci-shop", "environments": ["prod"], "servers": "", "days": "30"})
    text = page.context["text"]
    assert page.status_code == 200 and text in page.content.decode()
    assert text not in client.get("/marks/tokens/").content.decode()
    assert post(text, {"name": "shop 1.4.2"}).status_code == 201
    made = DeployToken.objects.get()
    assert made.created_by == "dana" and made.expires_at is not None
    client.post(f"/marks/tokens/{made.pk}/revoke/")
    assert post(text, {"name": "shop 1.4.3"}).status_code == 401
    told = list(AuditEntry.objects.filter(phase="console").order_by("seq").values_list("actor", "action"))
    assert told == [("dana", "deploy_token.add"), ("dana", "deploy_token.revoke")]
    assert "revoked" in client.get("/marks/tokens/").content.decode()


@pytest.mark.parametrize(
    ("sent", "words"),
    [
        ({"name": "x"}, "Say what it may mark"),
        ({"name": "", "environments": ["prod"]}, "required"),
        ({"name": "x", "environments": ["nowhere"]}, "not one of the available choices"),
        ({"name": "x", "servers": "nowhere"}, "There is no server nowhere."),
        ({"name": "x", "environments": ["prod"], "days": "0"}, "greater than or equal to 1"),
        ({"name": "taken", "environments": ["prod"]}, "There is a token taken already"),
    ],
)
def test_a_form_that_does_not_fit_says_why_and_loses_nothing(
    sent: dict[str, Any], words: str, shop: Server, dana: Operator, as_operator: SignIn
) -> None:
    deploys.add_token("taken", environments=["prod"], by="dana")
    page = fresh(as_operator(dana)).post("/marks/tokens/", sent)
    assert page.status_code == 422 and words in page.content.decode()
    assert DeployToken.objects.count() == 1


@pytest.mark.parametrize("role", [Role.VIEWER, Role.OPERATOR, Role.MAINTAINER, Role.AUDITOR])
def test_nobody_but_an_admin_makes_or_revokes_tokens(role: Role, token: str, as_operator: SignIn) -> None:
    client = fresh(as_operator(person("pat", role)))
    assert client.get("/marks/tokens/").status_code == 403
    assert client.post("/marks/tokens/", {"name": "x", "environments": ["prod"]}).status_code == 403
    assert client.post(f"/marks/tokens/{DeployToken.objects.get().pk}/revoke/").status_code == 403
    assert DeployToken.objects.in_force().count() == 1


def test_a_token_asks_for_a_fresh_sign_in(shop: Server, dana: Operator, as_operator: SignIn) -> None:
    client = as_operator(dana)
    assert client.post("/marks/tokens/", {"name": "x", "environments": ["prod"]}).status_code in (302, 303)
    assert not DeployToken.objects.exists()


# -- the terminal -----------------------------------------------------------------------------------------------------------


def said(*arguments: str) -> str:
    out = StringIO()
    call_command("deploy_token", *arguments, stdout=out)
    return out.getvalue()


def test_the_terminal_makes_lists_and_revokes_tokens(shop: Server) -> None:
    printed = said("add", "ci-shop", "--environment", "prod", "--server", "shop-db", "--days", "30")
    text = next(word for word in printed.split() if word.startswith("sbmark_"))
    assert post(text, {"name": "x", "server": "shop-db"}).status_code == 201
    listed = said("list")
    assert "ci-shop" in listed and "prod, shop-db" in listed and "in force" in listed and text not in listed
    assert said("revoke", "ci-shop") == "ci-shop marks nothing any more.\n"
    assert post(text, {"name": "x", "server": "shop-db"}).status_code == 401
    assert "revoked" in said("list")
    assert AuditEntry.objects.filter(actor="the terminal").count() == 2


def test_the_terminal_says_why_it_refuses(shop: Server) -> None:
    with pytest.raises(CommandError, match="Say what it may mark"):
        said("add", "ci-shop")
    with pytest.raises(CommandError, match="no token ci-shop in force"):
        said("revoke", "ci-shop")
    assert said("list") == "No token was made yet.\n"
