"""The fleet in one page: the sentence, the order, the filter, and every state a row can be in."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from apps.accounts.models import Operator
from apps.history.models import LastKnown
from apps.history.reads import ServerState, fleet
from apps.overview.reads import chosen, sentence
from apps.servers.models import Server

pytestmark = pytest.mark.django_db
SignIn = Callable[[Operator], Client]
GIB = 2**30


def add(key: str, environment: str = "dev", kind: str = "redis", *, failing: bool = False, **figures: Any) -> Server:
    server = Server.objects.create(
        key=key, kind=kind, environment=environment, addresses=[{"host": "10.20.4.12", "port": 6379}]
    )
    now = timezone.now()
    failure = {
        "failing_since": now - timedelta(minutes=4),
        "failed_count": 24,
        "error_kind": "unreachable",
        "error_text": "Connection refused by 10.20.4.12:6379.",
    }
    LastKnown.objects.create(
        server=server,
        tried_at=now,
        figures=figures,
        figures_at=now if figures else None,
        **(failure if failing else {}),
    )
    return server


def company() -> None:
    add("orders-db-r1", "prod", "postgres", failing=True, tx_per_s=640, size_bytes=412e9, version="17.2")
    add("jobs-broker", "prod", save_status="err", ops_per_s=2140)
    add(
        "orders-cache", "prod", used_memory_bytes=21.9 * GIB, maxmemory_bytes=24 * GIB, ops_per_s=18400, hit_ratio=0.941
    )
    add("dev-redis", "dev", ops_per_s=7, hit_ratio=0.88, latency_s=0.0005)


@pytest.mark.parametrize(
    ("signals", "expected"),
    [
        ("", "No server is registered."),
        ("ok", "The one server is well."),
        ("ok ok ok", "All three servers are well."),
        ("down", "One server cannot be reached."),
        ("down ok", "One server cannot be reached, nothing else needs a look."),
        ("down crit warn warn warn ok ok", "One server cannot be reached, four need a look."),
        ("down down warn", "Two servers cannot be reached, one needs a look."),
        ("warn ok", "One server needs a look."),
        ("unknown ok", "One server is not known."),
        ("unknown unknown ok", "Two servers are not known."),
        (" ".join(["warn"] * 13), "13 servers need a look."),
    ],
)
def test_the_heading_is_the_answer(signals: str, expected: str) -> None:
    states = [
        ServerState(
            server=Server(key=f"s{number}"), signal=signal, reason="", also=(), figures={}, figures_at=None, tried_at=None,
            failing_since=None, error_text="", failed_count=0, up_since=None,
        )
        for number, signal in enumerate(signals.split())
    ]  # fmt: skip
    assert sentence(states) == expected


def test_worst_comes_first_and_production_before_the_rest(alice: Operator) -> None:
    company()
    add("another", "dev", ops_per_s=1)
    add("sessions", "prod", ops_per_s=1)
    assert [s.server.key for s in fleet(alice)] == [
        "orders-db-r1",
        "jobs-broker",
        "orders-cache",
        "sessions",
        "another",
        "dev-redis",
    ]


@pytest.mark.parametrize(
    ("sort", "first", "last"),
    [
        ("name", "dev-redis", "orders-db-r1"),
        ("load", "orders-cache", "dev-redis"),
        ("hits", "dev-redis", "orders-db-r1"),
        ("full", "orders-cache", "orders-db-r1"),
        ("trip", "dev-redis", "orders-db-r1"),
        ("no-such-column", "orders-db-r1", "dev-redis"),
    ],
)
def test_every_column_sorts_and_what_is_not_known_comes_last(alice: Operator, sort: str, first: str, last: str) -> None:
    company()
    order = [s.server.key for s in chosen(fleet(alice), sort=sort).states]
    assert (order[0], order[-1]) == (first, last)


def test_filters_narrow_the_rows_and_never_the_sentence(alice: Operator) -> None:
    company()
    shown = chosen(fleet(alice), query="ORDERS 17.2", environment="prod")
    assert [s.server.key for s in shown.states] == ["orders-db-r1"]
    assert shown.sentence == "One server cannot be reached, two need a look."
    assert [(choice.title, choice.count) for choice in shown.choices] == [("All", 4), ("Prod", 3), ("Dev", 1)]
    assert [s.server.key for s in chosen(fleet(alice), query="memory").states] == ["orders-cache"]


def test_the_page_tells_what_is_down_since_when_and_what_was_known(alice: Operator, as_operator: SignIn) -> None:
    company()
    page = as_operator(alice).get("/").content.decode()
    assert "<h1>One server cannot be reached, two need a look.</h1>" in page
    assert "Connection refused by 10.20.4.12:6379." in page
    assert "4 min ago" in page
    assert "(24 probes failed)" in page
    assert '<a href="/servers/orders-db-r1/connection/">Probe now</a>' in page
    assert "memory 91 %" in page
    assert 'class="nowrap stale"' in page


def test_a_server_that_never_answered_shows_no_figures_and_no_zero(alice: Operator, as_operator: SignIn) -> None:
    add("never", failing=True)
    page = as_operator(alice).get("/").content.decode()
    assert "It has never answered." in page
    assert page.count("why-unknown") >= 3


def test_the_refreshing_part_is_the_same_address_without_the_frame(alice: Operator, as_operator: SignIn) -> None:
    company()
    client = as_operator(alice)
    part = client.get("/?env=prod", headers={"HX-Request": "true", "HX-Target": "fleet"}).content.decode()
    assert 'id="fleet"' in part
    assert "<html" not in part
    assert "sb-side" not in part
    assert 'id="fleet-orders-cache"' in part
    assert "dev-redis" not in part


def test_without_servers_those_who_may_are_led_to_register(alice: Operator, as_operator: SignIn) -> None:
    assert "Register your first server" in as_operator(alice).get("/").content.decode()


def test_without_servers_the_others_are_told_whom_to_ask(bob: Operator, dana: Operator, as_operator: SignIn) -> None:
    page = as_operator(bob).get("/").content.decode()
    assert "Register your first server" not in page
    assert "dana can give you a role" in page


def test_a_filter_that_fits_nothing_says_what_was_looked_at(alice: Operator, as_operator: SignIn) -> None:
    company()
    page = as_operator(alice).get("/?q=%3Cb%3Enope&env=prod").content.decode()
    assert "No server fits" in page
    assert "Looked at 4 servers" in page
    assert "<b>nope" not in page


def test_nobody_signed_in_sees_nothing(client: Client) -> None:
    answer = client.get("/")
    assert answer.status_code == 302
    assert "/accounts/login/" in answer.headers["Location"]
