"""Names side by side are counted together: the same folders as when each name is walked for itself."""

from __future__ import annotations

from collections import Counter

import pytest

from apps.keyspace.tree import MOST_LEVELS, MOST_PREFIX_BYTES, tree

NAMES = [b"", b":", b"::", b"a", b"a:", b"a:b", b"a::", b"a::b", b":a:b", b"a:b:c", b"a:b:d", b"x" * 300 + b":y"]
NAMES += [b":".join([b"l"] * levels) for levels in (MOST_LEVELS, MOST_LEVELS + 1, MOST_LEVELS + 3)]


def _folders(name: bytes) -> list[bytes]:
    ends = [at + 1 for at in range(min(len(name) - 1, MOST_PREFIX_BYTES)) if name[at : at + 1] == b":"]
    return [name[:end] for end in ends[:MOST_LEVELS]]


@pytest.mark.parametrize("names", [NAMES, NAMES[:6], [b"a:b", b"a:c"], [b"a:" + b"b" * 260 + b":c"]])
def test_folders_count_the_names_below_them(names: list[bytes]) -> None:
    lines = tree(names).lines
    counted = Counter(folder for name in names for folder in _folders(name))
    assert {line.name: line.found_count for line in lines if line.is_folder} == counted
    assert sorted(line.name for line in lines if not line.is_folder) == sorted(names)
