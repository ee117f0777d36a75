"""A pass of the sampler: claimed, concurrent, bounded, and honest about what did not answer."""

from __future__ import annotations

import os
import signal
import socketserver
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import call_command
from django.db.models import F
from django.utils import timezone

from apps.accounts.models import Operator
from apps.engine.errors import TimedOut
from apps.history.asking import ask
from apps.history.models import LastKnown
from apps.history.reads import fleet, state_of
from apps.history.sampler import Answer, claim, sample_due, write
from apps.history.tasks import sample
from tests.history.conftest import register, register_postgres, register_redis
from tests.network import HangingServer
from tests.real_servers import PostgresServer, RedisServer

pytestmark = pytest.mark.django_db


def test_a_hanging_and_a_dead_server_delay_nobody(
    redis_clean: RedisServer,
    postgres_server: PostgresServer,
    hanging_server: HangingServer,
    refusing_port: int,
    alice: Operator,
) -> None:
    register_redis(redis_clean)
    register_postgres(postgres_server)
    register("hangs", "redis", "127.0.0.1", hanging_server.port, read_timeout_s=30, connect_timeout_s=30)
    register("hangs-too", "postgres", "127.0.0.1", hanging_server.port, connect_timeout_s=2)
    register("dead", "redis", "127.0.0.1", refusing_port)
    done = sample_due(deadline_s=3.5)
    assert done.asked_count == 5
    assert done.failed == ("dead", "hangs", "hangs-too")
    assert done.took_s < 5
    well = LastKnown.objects.filter(figures_at__lt=F("tried_at") + timedelta(seconds=2))
    assert {row.server.key for row in well} == {"orders-cache", "orders-db"}
    assert [(s.server.key, s.reason) for s in fleet(alice)] == [
        ("dead", "cannot be reached"),
        ("hangs", "does not answer"),
        ("hangs-too", "does not answer"),
        ("orders-cache", "well"),
        ("orders-db", "well"),
    ]


def test_a_web_server_behind_a_redis_registration_is_named_as_such(db: None) -> None:
    with socketserver.TCPServer(("127.0.0.1", 0), _Web) as web:
        threading.Thread(target=web.serve_forever, daemon=True).start()
        server = register("web", "redis", *web.server_address)
        assert sample_due().failed == ("web",)
        web.shutdown()
    assert (state_of(server).signal, state_of(server).reason) == ("crit", "another kind of server")


class _Web(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        self.request.recv(1000)
        self.request.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")


def test_an_answer_of_another_shape_is_our_fault_and_said_at_once(db: None) -> None:
    with socketserver.TCPServer(("127.0.0.1", 0), _Odd) as odd:
        threading.Thread(target=odd.serve_forever, daemon=True).start()
        server = register("odd", "redis", *odd.server_address)
        done = sample_due()
        odd.shutdown()
    assert done.took_s < 4
    assert (state_of(server).signal, state_of(server).reason) == ("crit", "cannot be read")


class _Odd(socketserver.BaseRequestHandler):
    """Answers every command with the number 1, INFO too."""

    def handle(self) -> None:
        while self.request.recv(4096):
            self.request.sendall(b":1\r\n")


def test_a_server_that_still_hangs_is_not_asked_by_a_second_thread(hanging_server: HangingServer) -> None:
    register("hangs-long", "redis", "127.0.0.1", hanging_server.port, read_timeout_s=3, connect_timeout_s=3)
    sample_due(deadline_s=0.3)
    begun = time.monotonic()
    sample_due(deadline_s=3, every_s=0)
    assert time.monotonic() - begun < 1
    row = LastKnown.objects.get()
    assert (row.failed_count, row.error_kind) == (2, "timeout")
    assert "last question" in row.error_text


def test_two_samplers_never_take_the_same_server(redis_clean: RedisServer) -> None:
    register_redis(redis_clean)
    assert [one.server.key for one in claim(every_s=10)] == ["orders-cache"]
    assert claim(every_s=10) == []


def test_a_server_is_due_again_after_its_time(redis_clean: RedisServer) -> None:
    register_redis(redis_clean)
    sample_due()
    assert sample_due().asked_count == 0
    LastKnown.objects.update(tried_at=timezone.now() - timedelta(seconds=9))
    assert sample_due().asked_count == 1


def test_an_answer_that_comes_after_the_next_claim_is_dropped(redis_clean: RedisServer) -> None:
    register_redis(redis_clean)
    (late,) = claim(every_s=0)
    (newer,) = claim(every_s=0)
    raw = ask(late.server.target(), late.raw)
    write(Answer(claim=late, raw=raw, error=None))
    assert LastKnown.objects.get().figures_at is None
    write(Answer(claim=newer, raw=raw, error=None))
    assert LastKnown.objects.get().figures_at is not None


def test_the_last_figures_stay_while_a_server_fails_and_the_beginning_is_kept(
    redis_clean: RedisServer, refusing_port: int
) -> None:
    server = register_redis(redis_clean)
    redis_clean.command("SET", "a", "1")
    sample_due()
    server.addresses = [{"host": "127.0.0.1", "port": refusing_port}]
    server.save()
    sample_due(every_s=0)
    since = LastKnown.objects.get().failing_since
    sample_due(every_s=0)
    state = state_of(server)
    assert (state.signal, state.reason, state.failed_count) == ("down", "cannot be reached", 2)
    assert state.failing_since == since
    assert state.figures["keys_count"] == 1
    assert state.stale
    server.addresses = [{"host": str(redis_clean.socket), "port": 0}]
    server.save()
    sample_due(every_s=0)
    assert (state_of(server).signal, state_of(server).failed_count) == ("ok", 0)


def test_a_sampler_that_fell_silent_is_not_taken_for_a_well_fleet(redis_clean: RedisServer) -> None:
    server = register_redis(redis_clean)
    assert state_of(server).reason == "not looked at yet"
    sample_due()
    assert state_of(server).signal == "ok"
    LastKnown.objects.update(tried_at=timezone.now() - timedelta(minutes=5))
    assert (state_of(server).signal, state_of(server).reason) == ("unknown", "not sampled lately")


def test_the_secret_is_nowhere_in_what_is_kept(redis_clean: RedisServer) -> None:
    redis_clean.command("ACL", "SETUSER", "watcher", "on", ">a-secret-word", "+info", "+ping")
    server = register_redis(redis_clean, username="watcher")
    server.credentials.update(secret="another-secret-word")
    sample_due()
    row = LastKnown.objects.get()
    assert row.error_kind
    assert "secret-word" not in f"{row.error_text} {row.figures} {row.raw}"


def test_the_task_and_the_command_sample_everything(redis_clean: RedisServer, refusing_port: int) -> None:
    register_redis(redis_clean)
    register("dead", "redis", "127.0.0.1", refusing_port)
    sample()
    assert LastKnown.objects.filter(tried_at=None).count() == 0
    out = StringIO()
    call_command("sample", stdout=out)
    assert f"dead: Connection refused by 127.0.0.1:{refusing_port}." in out.getvalue()
    assert "1 of 2 servers answered" in out.getvalue()


def test_a_postgres_that_was_frozen_is_given_up_by_our_own_clock(postgres_server: PostgresServer) -> None:
    """Its sessions accept and never answer: neither the kernel nor the server would ever end the wait."""
    server = register_postgres(postgres_server, read_timeout_s=1)
    target = server.target()
    ask(target, {})
    with frozen(postgres_server):
        begun = time.monotonic()
        with pytest.raises(TimedOut):
            ask(target, {})
        assert time.monotonic() - begun < 4
    assert ask(target, {})[""]["postgres_stats"]["figures"]["role"] == "primary"


@contextmanager
def frozen(postgres: PostgresServer) -> Iterator[None]:
    """Every session of the server stops where it is, as on a machine whose disk hangs."""
    rows = postgres.sql(
        "SELECT pid FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"
    )
    stopped = [int(row[0]) for row in rows]
    for pid in stopped:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in stopped:
            os.kill(pid, signal.SIGCONT)
