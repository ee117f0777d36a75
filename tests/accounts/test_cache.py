"""The cache in the console's database: JSON, expiring, and an `add` that only one wins."""

from __future__ import annotations

import json
import threading
from datetime import timedelta

import pytest
from django.core.cache import cache
from django.db import connections
from django.utils import timezone

from apps.accounts.models import CacheEntry

pytestmark = pytest.mark.django_db


def test_what_was_set_is_got_until_it_expires() -> None:
    cache.set("k", [1, "two", {"three": 3.5}], 60)
    assert cache.get("k") == [1, "two", {"three": 3.5}]
    CacheEntry.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    assert cache.get("k", "gone") == "gone"
    assert not cache.touch("k", 60)


def test_a_value_is_stored_as_json_and_nothing_else_is_taken() -> None:
    cache.set("k", {"a": 1})
    assert json.loads(CacheEntry.objects.get().value) == {"a": 1}
    with pytest.raises(TypeError):
        cache.set("k", object())


def test_many_without_expiry() -> None:
    cache.set_many({"a": 1, "b": 2}, None)
    assert cache.get_many(["a", "b", "c"]) == {"a": 1, "b": 2}
    assert cache.delete("a")
    assert not cache.delete("a")
    assert cache.incr("b") == 3
    cache.clear()
    assert not CacheEntry.objects.exists()


def test_add_wins_once_and_again_after_expiry() -> None:
    assert cache.add("k", 1, 60)
    assert not cache.add("k", 2, 60)
    CacheEntry.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    assert cache.add("k", 3, 60)
    assert cache.get("k") == 3


def test_what_expired_is_swept_when_something_comes() -> None:
    cache.set("old", 1)
    CacheEntry.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    cache.add("new", 1)
    assert [e.key for e in CacheEntry.objects.all()] == [cache.make_key("new")]


@pytest.mark.django_db(transaction=True)
def test_of_many_that_add_one_key_one_wins() -> None:
    start, won = threading.Barrier(6), []

    def add() -> None:
        start.wait(timeout=10)
        try:
            won.append(cache.add("totp", "y", 30))
        finally:
            connections.close_all()

    threads = [threading.Thread(target=add) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)
    assert sorted(won) == [False] * 5 + [True]
