"""What changed of the settings, since when: never what was seen first, never a secret."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone

from apps.history import drift, timeline
from apps.history.models import Event, Setting
from apps.history.timeline import Sight
from apps.servers.models import Server
from tests.history.conftest import register

pytestmark = pytest.mark.django_db
PROBE = "redis_settings"


@pytest.fixture(autouse=True)
def a_probe_of_configuration(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(drift, "configurations", lambda: (PROBE,))
    yield


@pytest.fixture
def cache() -> Server:
    return register("orders-cache", "redis", "127.0.0.1", 1)


def look(at: datetime, settings: dict[str, Any] | None, node: str = "", version: str = "7.0.15") -> Sight:
    part = {"at_s": at.timestamp(), "figures": settings or {}, "counters": {}}
    if settings is None:
        part["error"] = "not permitted"
    who = {"at_s": at.timestamp(), "figures": {"version": version}, "counters": {}}
    return Sight(at=at, raw={node: {PROBE: part, "redis_info": who}})


class Watch:
    """A server whose settings are looked at every ten seconds."""

    def __init__(self, server: Server) -> None:
        self.server, self.last, self.at = server, Sight(at=timezone.now()), timezone.now()

    def sees(self, settings: dict[str, Any] | None, **more: str) -> None:
        self.at += timedelta(seconds=10)
        now = look(self.at, settings, **more)
        timeline.after_sample(self.server, before=self.last, now=now)
        self.last = now


def words() -> list[str]:
    return list(Event.objects.filter(kind="setting").order_by("at", "pk").values_list("words", flat=True))


def test_what_is_seen_first_did_not_change(cache: Server) -> None:
    watch = Watch(cache)
    watch.sees({"maxmemory": "4gb", "appendonly": "no"})
    assert words() == [] and drift.changed_lately(cache) == []
    assert drift.known_since(cache) == (2, watch.at)


def test_a_change_is_told_with_both_values_and_its_bracket(cache: Server) -> None:
    watch = Watch(cache)
    watch.sees({"maxmemory": "4gb", "appendonly": "no"})
    before = watch.at
    watch.sees({"maxmemory": "8gb", "appendonly": "no"})
    assert words() == ["maxmemory 4gb → 8gb"]
    (setting,) = drift.changed_lately(cache)
    assert (setting.name, setting.former, setting.value) == ("maxmemory", "4gb", "8gb")
    assert (setting.since_after, setting.since) == (before, watch.at)


def test_settings_that_stay_cost_nothing_and_tell_nothing(cache: Server, django_assert_num_queries: Any) -> None:
    watch = Watch(cache)
    watch.sees({"maxmemory": "4gb"})
    with django_assert_num_queries(0):
        watch.sees({"maxmemory": "4gb"})


def test_a_probe_that_failed_in_between_hides_no_change(cache: Server) -> None:
    watch = Watch(cache)
    watch.sees({"maxmemory": "4gb"})
    watch.sees(None)
    watch.sees({"maxmemory": "8gb"})
    assert words() == ["maxmemory 4gb → 8gb"]


def test_a_probe_that_failed_in_between_makes_none_up(cache: Server) -> None:
    watch = Watch(cache)
    for settings in ({"maxmemory": "4gb"}, None, {"maxmemory": "4gb"}):
        watch.sees(settings)
    assert words() == []


def test_settings_that_come_and_go_with_a_version_did_not_change(cache: Server) -> None:
    watch = Watch(cache)
    watch.sees({"maxmemory": "4gb", "old": "1"})
    watch.sees({"maxmemory": "8gb", "locale-collate": ""}, version="7.4.1")
    assert words() == ["maxmemory 4gb → 8gb"]
    watch.sees({"maxmemory": "8gb", "locale-collate": "de"}, version="7.4.1")
    assert words()[1:] == ["locale-collate (empty) → de"]


def test_a_setting_that_is_made_for_the_first_time_and_taken_back_changed(cache: Server) -> None:
    """PostgreSQL is asked for what is not as built in."""
    watch = Watch(cache)
    watch.sees({"max_connections": "60"})
    watch.sees({"max_connections": "60", "work_mem": "64MB"})
    watch.sees({"max_connections": "60"})
    watch.sees({"max_connections": "60", "work_mem": "1GB"})
    assert words() == ["work_mem not set → 64MB", "work_mem 64MB → not set", "work_mem not set → 1GB"]


def test_many_changes_at_once_are_one_event_that_lists_twenty(cache: Server) -> None:
    watch = Watch(cache)
    watch.sees({f"s{n:02}": "a" for n in range(25)})
    watch.sees({f"s{n:02}": "b" for n in range(25)})
    event = Event.objects.get(kind="setting")
    assert event.words.startswith("25 settings changed: s00 a → b, s01 a → b")
    assert len(event.detail["changes"]) == 20 and event.detail["more_count"] == 5


def test_a_change_back_is_a_change(cache: Server) -> None:
    watch = Watch(cache)
    for value in ("4gb", "8gb", "4gb"):
        watch.sees({"maxmemory": value})
    assert words() == ["maxmemory 4gb → 8gb", "maxmemory 8gb → 4gb"]


def test_an_empty_value_is_a_value(cache: Server) -> None:
    watch = Watch(cache)
    watch.sees({"save": "3600 1"})
    watch.sees({"save": ""})
    assert words() == ["save 3600 1 → (empty)"] and drift.changed_lately(cache)[0].value == ""


def test_nodes_are_compared_with_themselves(cache: Server) -> None:
    at = [timezone.now() + timedelta(seconds=10 * n) for n in range(3)]
    replica = "10.0.0.2:6379"
    for node, value in (("", "4gb"), (replica, "8gb")):
        timeline.after_sample(cache, before=Sight(at=at[0]), now=look(at[1], {"maxmemory": value}, node))
    timeline.after_sample(
        cache, before=look(at[1], {"maxmemory": "8gb"}, replica), now=look(at[2], {"maxmemory": "9gb"}, replica)
    )
    assert words() == ["maxmemory 8gb → 9gb"]
    assert Event.objects.get().node == replica


@pytest.mark.parametrize(
    "name",
    [
        "requirepass",
        "masterauth",
        "masteruser-password",
        "primary_conninfo",
        "tls-key-file-pass",
        "ssl_passphrase_command",
        "my.api_token",
    ],
)
def test_a_secret_is_not_kept_under_any_name(name: str, cache: Server) -> None:
    watch = Watch(cache)
    watch.sees({name: "CANARY-1", f"setting[{name}]": "CANARY-2", "maxmemory": "4gb"})
    watch.sees({name: "CANARY-3", f"setting[{name}]": "CANARY-4", "maxmemory": "4gb"})
    assert list(Setting.objects.values_list("name", flat=True)) == ["maxmemory"]
    assert words() == []


def test_of_a_secret_it_is_told_that_it_changed(cache: Server) -> None:
    watch = Watch(cache)
    for value in ("not set", "set, 3f9a01c2", "set, 00aa11bb"):
        watch.sees({"requirepass": value, "maxmemory": "4gb"})
    assert words() == ["requirepass not set → set", "requirepass set to another secret"]


@pytest.mark.parametrize(
    "value",
    [
        "rsync --password=CANARY %p",
        "https://user:CANARY@backups.example/",
        "host=a PASSWORD = CANARY",
        "-----BEGIN PRIVATE KEY-----CANARY",
    ],
)
def test_a_value_that_holds_a_secret_is_not_kept(value: str, cache: Server) -> None:
    watch = Watch(cache)
    watch.sees({"archive_command": "true"})
    watch.sees({"archive_command": value})
    assert words() == ["archive_command true → not kept: it holds a secret"]
    assert not Setting.objects.filter(value__contains="CANARY").exists()


def test_a_labelled_figure_is_a_setting_by_its_label(cache: Server) -> None:
    watch = Watch(cache)
    watch.sees({"setting[work_mem]": "4MB"})
    watch.sees({"setting[work_mem]": "64MB"})
    assert words() == ["work_mem 4MB → 64MB"]


def test_a_value_without_an_end_is_cut(cache: Server) -> None:
    watch = Watch(cache)
    watch.sees({"search_path": "a" * 5000})
    watch.sees({"search_path": "b" * 5000})
    assert len(words()[0]) < 200 and len(Setting.objects.get().value) == 1000


def test_what_no_database_takes_is_kept_as_escapes(cache: Server) -> None:
    watch = Watch(cache)
    watch.sees({"save": "a"})
    watch.sees({"save": "a\x00b\udcff"})
    assert drift.changed_lately(cache)[0].value == "a\\x00b\\udcff"
    assert words() == ["save a → a\\x00b\\udcff"]
