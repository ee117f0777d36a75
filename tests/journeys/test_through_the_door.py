"""The main way of the console, with hands: plan on production, meet the guards, run, watch, undo, read the audit.

The run is handed over by a real broker to a real Celery worker.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from celery import current_app
from celery.contrib.testing.worker import start_worker
from pytest_django import Settings

from apps.accounts.models import Operator, Role
from apps.engine.embedded import binaries
from apps.engine.embedded.redis import EmbeddedRedis
from apps.operations import audit_chain
from apps.operations.models import AuditEntry, Run
from tests import celery_pools
from tests.accounts.conftest import SEED, code_of, set_up_factor
from tests.browser import Tab
from tests.conftest import person
from tests.journeys.conftest import SignIn, follow, heading, press
from tests.operations.scenario import values
from tests.real_servers import CACHE
from tests.system.conftest import World

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
PATTERN = "session:*"
KEYS = 300
REASON = "OPS-2214: sessions of the old login"


@pytest.fixture
def celery_worker(world: World, tmp_path: Path, private_folders: None) -> Iterator[None]:
    """A broker of this test alone, and a worker of the queue `runs`, in a thread."""
    current_app.loader.import_default_modules()
    with EmbeddedRedis(binaries.find_redis(CACHE), tmp_path / "broker") as broker:
        _point_at(f"redis+socket://{broker.socket}")
        try:
            with start_worker(current_app, pool="solo", queues=["runs"], perform_ping_check=False):
                yield
        finally:
            _point_at(f"redis+socket://{tmp_path}/nobody-listens.sock")


def _point_at(url: str) -> None:
    """Celery keeps the connections that it made: it has to forget them."""
    app: Any = current_app
    app.conf.broker_url = app.conf.broker_read_url = app.conf.broker_write_url = url
    celery_pools.forget()


def with_code(tab: Tab) -> None:
    tab.page.get_by_label("Code of your app").fill(code_of(SEED))
    press(tab, "Sign in")


def sessions(world: World) -> set[bytes]:
    return {name for name in values(world.redis) if name.startswith(b"session:")}


def test_alice_deletes_by_pattern_on_production_and_takes_it_back(
    world: World, celery_worker: None, signs_in: SignIn, alice: Operator, erin: Operator, settings: Settings
) -> None:
    for n in range(KEYS):
        world.redis.command("SET", f"session:{n}", f"of visitor {n}", "PX", 3_600_000)
    before = values(world.redis)
    set_up_factor(alice)
    set_up_factor(person("mia", Role.MAINTAINER))
    tab = signs_in("alice", at="/servers/redis-prod/keyspace/")
    with_code(tab)
    plan(tab)
    meet_the_guards(tab, signs_in)
    press(tab, f"Delete {KEYS} keys")
    run = watched(tab)
    assert values(world.redis) == {name: held for name, held in before.items() if not name.startswith(b"session:")}
    assert "Deleted 300 keys." in tab.text("#run")
    take_back(tab)
    assert values(world.redis) == before
    assert all(3_000_000 < world.redis.command("PTTL", name) <= 3_600_000 for name in sessions(world))
    read_the_audit(signs_in, run)
    assert tab.complaints == []


def plan(tab: Tab) -> None:
    """From the keys to a plan: the pattern is typed once, the folder stays."""
    tab.go(f"/servers/redis-prod/keyspace/?pattern={PATTERN}")
    follow(tab, "Delete by pattern")
    assert heading(tab) == "Delete keys by pattern on redis-prod"
    assert tab.page.get_by_label("Pattern").input_value() == PATTERN
    press(tab, "Plan it")
    tab.page.locator("#plan h1", has_text=f"Delete {KEYS} keys on redis-prod").wait_for()
    said = tab.text("#plan")
    assert "Nothing has happened yet" in said and "PROD" in said and "Can be undone" in said
    assert "session:" in said and "cart:1" not in said and "UNLINK" in said


def meet_the_guards(tab: Tab, signs_in: SignIn) -> None:
    """A reason, the server's name, a fresh sign-in, and a second person, in the words of the page."""
    button = tab.page.get_by_role("button", name=f"Delete {KEYS} keys")
    assert states(tab) == {"reason": "not yet", "name": "not yet", "fresh": "met", "person": "not yet"}
    tab.page.get_by_label("Reason").fill(REASON)
    tab.page.get_by_label("Name of the server").fill("redis-prod")
    press(tab, "Ask them")
    address = tab.page.url
    agree(signs_in)
    tab.page.goto(address)
    tab.page.get_by_label("Reason").fill(REASON)
    tab.page.get_by_label("Name of the server").fill("redis-staging")
    tab.page.locator("[data-demand=name] [data-demand-state]", has_text="not yet").wait_for()
    assert button.is_disabled() and "Waits for: " in tab.text("[data-guard-missing]")
    tab.page.get_by_label("Name of the server").fill("redis-prod")
    tab.page.locator("[data-demand=name] [data-demand-state]", has_text="met").wait_for()
    assert set(states(tab).values()) == {"met"}


def states(tab: Tab) -> dict[str, str]:
    demands = tab.page.locator("[data-demand]").all()
    return {str(each.get_attribute("data-demand")): state_of(each) for each in demands}


def state_of(demand: Any) -> str:
    return str(demand.locator("[data-demand-state]").inner_text()).strip()


def agree(signs_in: SignIn) -> None:
    tab = signs_in("mia", at="/approvals/")
    with_code(tab)
    tab.page.locator("main a", has_text="Delete keys by pattern").first.click()
    tab.page.get_by_role("heading", name="alice asks you to agree").wait_for()
    assert REASON in tab.text("main") and "no: the plan no longer holds" not in tab.text("main")
    press(tab, f"Agree to delete {KEYS} keys")
    assert "agreed" in tab.text("main")
    assert tab.complaints == []


def watched(tab: Tab) -> Run:
    """The page of the run keeps itself fresh until the run has ended."""
    tab.page.locator("#run h1").wait_for()
    tab.page.locator("#run .sb-head", has_text="done").wait_for(timeout=20_000)
    return Run.objects.get(pk=int(tab.page.url.rstrip("/").rsplit("/", 1)[1]))


def take_back(tab: Tab) -> None:
    follow(tab, "Plan the undo")
    press(tab, "Plan it")
    tab.page.locator("#plan h1", has_text="redis-prod").wait_for()
    said = tab.text("#plan")
    assert f"{KEYS}" in said
    tab.page.get_by_label("Reason").fill("they were needed after all")
    with tab.page.expect_navigation():
        tab.page.locator("[data-guard-button]").click()
    watched(tab)


def read_the_audit(signs_in: SignIn, run: Run) -> None:
    tab = signs_in("erin", at=f"/audit/?q={run.pk}")
    said = tab.text("main")
    assert "alice" in said and "intent" in said and "outcome" in said
    tab.go("/audit/")
    said = tab.text("main")
    told = ("alice\tasked", "mia\tanswered", "alice\toutcome", "Undo: delete keys by pattern, run ")
    assert [words for words in told if words not in said] == [], said
    phases = list(AuditEntry.objects.filter(run_number=run.pk).order_by("seq").values_list("phase", flat=True))
    assert phases == ["intent", "outcome"]
    assert audit_chain.verify().ok
    assert tab.complaints == []
