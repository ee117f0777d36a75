"""The pages of queues: who may see them, what they say, and that nothing from a server is believed."""

from __future__ import annotations

import html
import time
from collections.abc import Callable

import pytest
from django.test import Client, override_settings
from rq import Queue as RqQueue
from rq import SimpleWorker

from apps.accounts.models import Operator
from apps.queues.fleet import read_fleet, read_server
from apps.servers.models import Server
from tests.network import HangingServer
from tests.queues import work
from tests.queues.conftest import queue_of, redis_target, registered_redis
from tests.real_servers import PostgresDatabase, RedisServer

pytestmark = pytest.mark.django_db
Browser = Callable[[Operator], Client]
HOSTILE = b"<img src=x onerror=alert(1)>\"'&\x00\x1b[31m\xe2\x80\xae\xff" + b"z" * 3000


def address(server: RedisServer, name: bytes, part: bytes = b"") -> str:
    queue = queue_of(server, name, part)
    return f"/servers/jobs/queues/{queue.adapter}/{queue.ref}/"


def text_of(client: Client, url: str, **headers: str) -> str:
    answer = client.get(url, headers=headers)
    assert answer.status_code == 200, answer.status_code
    return html.unescape(answer.content.decode())


@pytest.fixture
def emails(redis_clean: RedisServer) -> RqQueue:
    registered_redis(redis_clean)
    return RqQueue("emails", connection=redis_clean.client)


def test_the_heading_is_the_answer(
    redis_clean: RedisServer, emails: RqQueue, alice: Operator, as_operator: Browser
) -> None:
    emails.enqueue(work.greet)
    page = text_of(as_operator(alice), "/queues/")
    assert "<h1>1 queue, 1 job waiting. One is stuck.</h1>" in page
    assert "Stuck: nothing leaves, or nobody works" in page
    assert "Nothing was written to read this." in page


def test_a_fragment_is_the_table_alone(emails: RqQueue, alice: Operator, as_operator: Browser) -> None:
    emails.enqueue(work.greet)
    headers = {"HX-Request": "true", "HX-Target": "queues"}
    fragment = text_of(as_operator(alice), "/queues/", **headers)
    assert fragment.lstrip().startswith('<div class="stack" id="queues"')
    assert "<html" not in fragment
    for part in ("queue", "jobs"):
        headers["HX-Target"] = part
        answer = text_of(as_operator(alice), f"/servers/jobs/queues/rq/{_ref('emails')}/", **headers)
        assert f'id="{part}"' in answer[:80]


def _ref(name: str) -> str:
    from apps.engine.contracts.adapter import Queue

    return Queue(adapter="rq", framework="", database="0", name=name.encode()).ref


def test_filters_narrow_and_the_counts_stay(
    redis_clean: RedisServer, emails: RqQueue, alice: Operator, as_operator: Browser
) -> None:
    emails.enqueue(work.greet)
    redis_clean.command("SADD", "rq:queues", "rq:queue:reports")
    browser = as_operator(alice)
    assert "reports" not in text_of(browser, "/queues/?q=EMAILS").split("</form>")[1]
    assert "reports" not in text_of(browser, "/queues/?only=need").split("</form>")[1]
    nothing = text_of(browser, "/queues/?q=%3Cscript%3E")
    assert "No queue fits this filter" in nothing
    assert 'All <span class="n">2</span>' in nothing


def test_everybody_in_scope_sees_queues_and_nobody_else(
    emails: RqQueue, redis_clean: RedisServer, bob: Operator, erin: Operator, charlie: Operator, as_operator: Browser
) -> None:
    emails.enqueue(work.greet)
    there = address(redis_clean, b"emails")
    for person in (bob, erin):
        assert as_operator(person).get(there).status_code == 200
    stranger = as_operator(charlie)
    assert stranger.get(there).status_code == 404
    assert stranger.get("/servers/jobs/queues/").status_code == 404
    assert "emails" not in text_of(stranger, "/queues/").split("<main")[1]
    assert Client().get("/queues/").status_code in (302, 401, 403)


def test_payloads_are_masked_until_asked_for_by_somebody_who_may(
    emails: RqQueue, redis_clean: RedisServer, alice: Operator, bob: Operator, as_operator: Browser
) -> None:
    job = emails.enqueue(work.refuse, "ann@example.com")
    SimpleWorker([emails], connection=redis_clean.client).work(burst=True, logging_level="CRITICAL")
    from apps.engine.text import ref

    there = f"{address(redis_clean, b'emails')}?state=failed&job={ref(job.id.encode())}"
    masked = text_of(as_operator(alice), there)
    assert "ann@example.com" not in masked
    assert "MailRefused" in masked
    assert "ann@example.com" in text_of(as_operator(alice), f"{there}&show=1")
    assert "ann@example.com" not in text_of(as_operator(bob), there)
    refused = as_operator(bob)
    answer = refused.get(f"{there}&show=1")
    assert answer.status_code == 403
    assert b"ann@example.com" not in answer.content


def test_hostile_names_and_payloads_are_shown_as_text(
    redis_clean: RedisServer, emails: RqQueue, alice: Operator, as_operator: Browser
) -> None:
    name = HOSTILE
    redis_clean.command("SADD", "rq:queues", b"rq:queue:" + name)
    redis_clean.command("RPUSH", b"rq:queue:" + name, HOSTILE)
    redis_clean.command(
        "HSET", b"rq:job:" + HOSTILE, "description", HOSTILE, "origin", name, "enqueued_at", HOSTILE, "data", HOSTILE
    )
    redis_clean.command("SADD", b"rq:workers:" + name, b"rq:worker:" + HOSTILE)
    redis_clean.command("XGROUP", "CREATE", HOSTILE, HOSTILE, "0", "MKSTREAM")
    redis_clean.command("XADD", HOSTILE, "*", HOSTILE, HOSTILE)
    redis_clean.command("XREADGROUP", "GROUP", HOSTILE, HOSTILE, "STREAMS", HOSTILE, ">")
    redis_clean.command("SADD", "_kombu.binding.celery", HOSTILE + b"\x06\x16\x06\x16" + HOSTILE)
    redis_clean.command("LPUSH", HOSTILE + b"\x06\x163", HOSTILE)
    browser = as_operator(alice)
    from apps.engine.text import ref

    reading = read_server(redis_target(redis_clean))
    queues = reading.queues
    assert (len(queues), reading.problems) == (3, ())
    for queue in queues:
        one = queue.snapshot.queue
        there = f"/servers/jobs/queues/{one.adapter}/{one.ref}/"
        for state in ("ready", "running", "workers", HOSTILE.decode("latin-1")):
            for job in ("", ref(HOSTILE), "%%%"):
                raw = browser.get(there, {"state": state, "show": "1", "job": job, "start": "9" * 60}).content
                assert b"<img" not in raw
                assert b"\x1b" not in raw
                assert "\u202e".encode() not in raw
    for url in ("/queues/", "/servers/jobs/queues/"):
        assert b"<img" not in browser.get(url).content


@pytest.mark.parametrize("ref", ["AA", "MSwwLDA7MA", "%00", "LTEsMCwwO3h4", "x" * 3000, "OTk5OTk5OTk5OTk5LDAsMDt4"])
def test_addresses_that_name_no_queue_are_not_found(
    emails: RqQueue, alice: Operator, as_operator: Browser, ref: str
) -> None:
    assert as_operator(alice).get(f"/servers/jobs/queues/rq/{ref}/").status_code == 404


def test_frameworks_nobody_knows_or_of_the_other_kind_are_not_found(
    emails: RqQueue, alice: Operator, as_operator: Browser
) -> None:
    for adapter in ("resque", "outbox"):
        assert as_operator(alice).get(f"/servers/jobs/queues/{adapter}/{_ref('emails')}/").status_code == 404


def test_a_server_that_is_down_is_one_group_with_its_reason(
    emails: RqQueue, alice: Operator, as_operator: Browser, refusing_port: int
) -> None:
    emails.enqueue(work.greet)
    Server.objects.create(
        key="gone", kind="redis", environment="dev", addresses=[{"host": "127.0.0.1", "port": refusing_port}]
    )
    page = text_of(as_operator(alice), "/queues/")
    assert "emails" in page
    assert f"Connection refused by 127.0.0.1:{refusing_port}." in page
    for url in ("/servers/gone/queues/", f"/servers/gone/queues/rq/{_ref('emails')}/"):
        answer = as_operator(alice).get(url)
        assert answer.status_code == 200
        assert b"Connection refused" in answer.content


def test_servers_that_hang_cost_their_own_time_once(
    redis_clean: RedisServer, emails: RqQueue, hanging_server: HangingServer
) -> None:
    emails.enqueue(work.greet)
    hanging = [
        Server(
            key=f"h{i}",
            kind="redis",
            environment="dev",
            addresses=[{"host": "127.0.0.1", "port": hanging_server.port}],
            read_timeout_s=2.0,
        )
        for i in range(4)
    ]
    for server in hanging:
        server.save()
    begun = time.monotonic()
    readings = read_fleet([*(server.target() for server in hanging), redis_target(redis_clean)])
    assert time.monotonic() - begun < 6
    assert [reading.error.kind if reading.error else "" for reading in readings] == ["timeout"] * 4 + [""]
    assert len(readings[-1].queues) == 1


def test_the_consoles_own_broker_is_said_to_be_its_own(
    redis_clean: RedisServer, emails: RqQueue, alice: Operator, as_operator: Browser
) -> None:
    emails.enqueue(work.greet)
    with override_settings(BROKER_URL=f"redis+socket://{redis_clean.socket}?virtual_host=0"):
        assert "own broker" in text_of(as_operator(alice), "/servers/jobs/queues/")
        assert "own broker" in text_of(as_operator(alice), address(redis_clean, b"emails"))
    with override_settings(BROKER_URL=f"redis+socket://{redis_clean.socket}?virtual_host=3"):
        assert "own broker" not in text_of(as_operator(alice), address(redis_clean, b"emails"))


def test_a_redis_without_queues_says_what_was_looked_for(
    emails: RqQueue, alice: Operator, as_operator: Browser
) -> None:
    assert "No queue was found so far" in text_of(as_operator(alice), "/servers/jobs/queues/")


def test_a_postgres_shows_its_outbox_or_says_that_it_knows_none(
    postgres_database: PostgresDatabase, alice: Operator, as_operator: Browser
) -> None:
    server = postgres_database.server
    made = Server.objects.create(
        key="shop", kind="postgres", environment="dev", database=postgres_database.name,
        addresses=[{"host": str(server.socket_dir), "port": server.port}],
    )  # fmt: skip
    made.credentials.create(username=server.admin_user)
    assert "No outbox table was found" in text_of(as_operator(alice), "/servers/shop/queues/")
    postgres_database.sql("CREATE TABLE outbox (id int PRIMARY KEY, payload text, sent_at timestamptz)")
    postgres_database.sql("INSERT INTO outbox SELECT g, '<b>secret</b>' FROM generate_series(1, 3) g")
    page = text_of(as_operator(alice), "/servers/shop/queues/")
    assert "1 queue, 3 jobs waiting." in page
    link = page.split("/servers/shop/queues/outbox/")[1].split('"')[0]
    there = f"/servers/shop/queues/outbox/{link}"
    assert "secret" not in text_of(as_operator(alice), there)
    assert b"&lt;b&gt;secret" in as_operator(alice).get(f"{there}?show=1").content


def test_a_queue_that_vanished_says_so_and_the_page_stands(
    redis_clean: RedisServer, emails: RqQueue, alice: Operator, as_operator: Browser
) -> None:
    redis_clean.command("XGROUP", "CREATE", "orders", "billing", "0", "MKSTREAM")
    there = address(redis_clean, b"orders", b"billing")
    redis_clean.command("DEL", "orders")
    assert "There is no such queue any more." in text_of(as_operator(alice), there)
