"""Sessions end by age, by idleness, by hand, and when their operator is locked."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from allauth.usersessions.models import UserSession
from django.contrib.sessions.models import Session
from django.utils import timezone

from apps.accounts import people
from apps.accounts.models import Operator
from tests.accounts.conftest import Visitor, is_signed_in, make_fresh, sign_in


def test_locking_ends_every_session_at_once(bob: Operator, dana: Operator) -> None:
    clients = [sign_in("bob"), sign_in("bob")]
    assert all(is_signed_in(c) for c in clients)
    assert people.lock(bob, by="dana", reason="left the company") == 2
    assert not any(is_signed_in(c) for c in clients)
    assert not Session.objects.filter(session_key__in=[c.session.session_key for c in clients]).exists()


def test_a_session_that_no_list_knows_is_worth_nothing_once_locked(
    bob: Operator, dana: Operator, as_operator: Any
) -> None:
    client = as_operator(bob)
    people.lock(bob, by="dana", reason="left the company")
    assert not is_signed_in(client)


def test_deactivating_ends_sessions_too(bob: Operator) -> None:
    client = sign_in("bob")
    Operator.objects.filter(pk=bob.pk).update(is_active=False)
    assert not is_signed_in(client)


def test_an_idle_session_ends(alice: Operator, settings: Any) -> None:
    client = sign_in("alice")
    UserSession.objects.update(last_seen_at=timezone.now() - timedelta(seconds=settings.SESSION_IDLE_S + 1))
    assert client.get("/operators/me/")["Location"].startswith("/accounts/login/")
    assert not UserSession.objects.exists()


def test_an_old_session_ends_however_busy(alice: Operator, settings: Any) -> None:
    client = sign_in("alice")
    session = client.session
    session["signed_in_at"] -= settings.SESSION_COOKIE_AGE + 1
    session.save()
    assert not is_signed_in(client)


def test_presence_is_noted_once_a_minute(alice: Operator) -> None:
    client = sign_in("alice")
    assert Operator.objects.get(pk=alice.pk).seen_at is not None, "signing in counts"
    Operator.objects.update(seen_at=None)
    UserSession.objects.update(last_seen_at=timezone.now() - timedelta(seconds=30))
    client.get("/operators/me/")
    assert Operator.objects.get(pk=alice.pk).seen_at is None
    UserSession.objects.update(last_seen_at=timezone.now() - timedelta(seconds=61))
    client.get("/operators/me/")
    seen_at = Operator.objects.get(pk=alice.pk).seen_at
    assert seen_at is not None
    assert UserSession.objects.get().last_seen_at >= seen_at - timedelta(seconds=5)


@pytest.mark.parametrize(("headers", "is_person"), [({}, False), ({"HX-Request-Type": "partial"}, True)])
def test_a_page_that_refreshes_itself_keeps_no_session_alive(
    alice: Operator, headers: dict[str, str], is_person: bool
) -> None:
    client = sign_in("alice")
    before = timezone.now() - timedelta(minutes=20)
    UserSession.objects.update(last_seen_at=before)
    client.get("/operators/me/", headers={"HX-Request": "true", **headers})
    assert (UserSession.objects.get().last_seen_at > before) is is_person


def test_alice_ends_her_other_session_and_nobody_elses(alice: Operator, bob: Operator) -> None:
    here, there, other = sign_in("alice"), sign_in("alice"), sign_in("bob")
    bobs = UserSession.objects.get(user=bob)
    assert here.post(f"/operators/me/sessions/{bobs.pk}/end/").status_code == 404
    elsewhere = UserSession.objects.get(session_key=there.session.session_key)
    here.post(f"/operators/me/sessions/{elsewhere.pk}/end/")
    assert [is_signed_in(c) for c in (here, there, other)] == [True, False, True]


def test_ending_all_but_this_one(alice: Operator) -> None:
    here, there = sign_in("alice"), sign_in("alice")
    here.post("/operators/me/sessions/end/")
    assert (is_signed_in(here), is_signed_in(there)) == (True, False)


def test_sudo_gives_the_session_another_key_and_keeps_its_row(alice: Operator) -> None:
    client = sign_in("alice")
    row, before = UserSession.objects.get(), client.key
    make_fresh(client, ago_s=400)
    client.post("/accounts/reauthenticate/", {"password": "a long enough passphrase"})
    after = client.key
    assert after != before
    assert UserSession.objects.get() == row
    assert UserSession.objects.get().session_key == after
    assert not is_signed_in(Visitor().steal(before))
