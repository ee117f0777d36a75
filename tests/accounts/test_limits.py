"""How often a password may be tried, and by whom that is counted."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client, RequestFactory
from django.utils import timezone

from apps.accounts.addresses import client_address, counted_address
from apps.accounts.limits import TooManyTries, begin_try, end_try
from apps.accounts.models import LoginTry, Operator
from apps.accounts.reads import denied_tries
from tests.accounts.conftest import is_signed_in, sign_in


def test_a_name_waits_after_five_wrong_tries_from_one_address(alice: Operator) -> None:
    for _ in range(5):
        assert sign_in("alice", "wrong").last.status_code == 200
    limited = sign_in("alice")
    assert limited.last.status_code == 429
    assert 0 < int(limited.last["Retry-After"]) <= 900
    assert b"Too many tries" in limited.last.content
    assert is_signed_in(sign_in("alice", address="198.51.100.8")), "another address is not held up"


def test_the_limit_is_the_same_for_a_name_that_nobody_has(db: None) -> None:
    answers = [sign_in("nobody", "wrong").last.status_code for _ in range(6)]
    assert answers == [200] * 5 + [429]


def test_an_address_waits_after_ten_wrong_tries_for_many_names(alice: Operator) -> None:
    answers = [sign_in(f"name{n}", "wrong").last.status_code for n in range(11)]
    assert answers == [200] * 10 + [429]
    assert sign_in("alice").last.status_code == 429


def test_signing_in_well_uses_nothing_up_and_gives_nothing_back(alice: Operator) -> None:
    for _ in range(4):
        sign_in("alice", "wrong")
    for _ in range(7):
        assert is_signed_in(sign_in("alice"))
    assert sign_in("alice", "wrong").last.status_code == 200
    assert sign_in("alice", "wrong").last.status_code == 429


def test_after_a_quarter_of_an_hour_one_may_try_again(alice: Operator) -> None:
    for _ in range(5):
        sign_in("alice", "wrong")
    LoginTry.objects.update(at=timezone.now() - timedelta(minutes=15, seconds=1))
    assert is_signed_in(sign_in("alice"))


def test_whoever_hammers_fills_no_table_and_is_counted(alice: Operator) -> None:
    for _ in range(40):
        sign_in("alice", "wrong")
    assert LoginTry.objects.count() == 5
    assert [(t.username, t.failed_count, t.refused_count) for t in denied_tries()] == [("alice", 5, 35)]


def test_tries_at_the_same_moment_count_each_other(db: None) -> None:
    begun = [begin_try("203.0.113.9", "alice") for _ in range(5)]
    with pytest.raises(TooManyTries):
        begin_try("203.0.113.9", "alice")
    end_try(begun[0], passed=True)
    begin_try("203.0.113.9", "alice")


def test_a_mistyped_name_is_not_kept(db: None) -> None:
    sign_in("my secret password", "alice")
    assert "secret" not in str(vars(LoginTry.objects.get()))


def test_an_old_try_is_forgotten(db: None) -> None:
    LoginTry.objects.create(address="203.0.113.9", name_hash="x", at=timezone.now() - timedelta(days=8))
    begin_try("203.0.113.9", "alice")
    assert LoginTry.objects.count() == 1


@pytest.mark.parametrize(
    ("trusted", "forwarded", "believed"),
    [
        (0, "1.1.1.1", "10.0.0.1"),
        (1, "1.1.1.1", "1.1.1.1"),
        (1, "6.6.6.6, 1.1.1.1", "1.1.1.1"),
        (2, "6.6.6.6, 1.1.1.1, 10.0.0.9", "1.1.1.1"),
        (2, "6.6.6.6", "10.0.0.1"),
        (1, "<script>", "0.0.0.0"),
        (1, "::ffff:1.2.3.4", "1.2.3.4"),
    ],
)
def test_a_client_cannot_choose_its_address(settings: Any, trusted: int, forwarded: str, believed: str) -> None:
    settings.TRUSTED_PROXY_COUNT = trusted
    request = RequestFactory().get("/", REMOTE_ADDR="10.0.0.1", HTTP_X_FORWARDED_FOR=forwarded)
    assert client_address(request) == believed


def test_an_ipv6_customer_counts_as_one_address() -> None:
    assert (
        counted_address("2001:db8:1:2:3::4")
        == counted_address("2001:db8:1:2::99")
        != counted_address("2001:db8:1:3::99")
    )


def test_sudo_is_limited_like_a_sign_in(alice: Operator, as_operator: Any) -> None:
    client = as_operator(alice)
    answers = [client.post("/accounts/reauthenticate/", {"password": "wrong"}).status_code for _ in range(6)]
    assert answers == [200] * 5 + [429]


def test_forms_from_elsewhere_do_nothing(alice: Operator) -> None:
    strict = Client(enforce_csrf_checks=True)
    answer = strict.post("/accounts/login/", {"login": "alice", "password": "a long enough passphrase"})
    assert answer.status_code == 403
    assert b"Nothing was done" in answer.content
    assert not LoginTry.objects.exists()
