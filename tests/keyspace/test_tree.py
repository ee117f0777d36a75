"""Folders count what was found, and no name makes the page long or deep."""

from __future__ import annotations

from apps.keyspace.tree import MOST_LEVELS, MOST_LINES, tree


def shown(names: list[bytes], **options: bytes) -> list[tuple[bytes, int, int]]:
    return [(line.name, line.level, line.found_count) for line in tree(names, **options).lines]


def test_folders_come_first_with_their_counts() -> None:
    assert shown([b"b", b"a:1", b"a:2", b"a:x:1"]) == [
        (b"a:", 0, 3), (b"a:x:", 1, 1), (b"a:x:1", 2, 1), (b"a:1", 1, 1), (b"a:2", 1, 1), (b"b", 0, 1),
    ]  # fmt: skip


def test_a_large_find_is_closed_but_for_the_path_that_was_opened() -> None:
    names = [b"a:%d" % i for i in range(50)] + [b"b:%d" % i for i in range(50)]
    assert shown(names) == [(b"a:", 0, 50), (b"b:", 0, 50)]
    assert len(shown(names, opened=b"b:")) == 52


def test_the_only_folder_opens_itself() -> None:
    names = [b"app:%s:%d" % (kind, i) for kind in (b"x", b"y") for i in range(40)]
    assert shown(names) == [(b"app:", 0, 80), (b"app:x:", 1, 40), (b"app:y:", 1, 40)]


def test_a_name_of_separators_stays_shallow() -> None:
    lines = tree([b":" * 1_000_000, b"a:"]).lines
    assert max(line.level for line in lines) <= MOST_LEVELS
    assert [line.name for line in lines if not line.is_folder].count(b"a:") == 1


def test_the_rest_is_counted_not_dropped_silently() -> None:
    grown = tree([b"k%04d" % i for i in range(1_000)])
    assert len(grown.lines) == MOST_LINES
    assert grown.more_count == 800
