"""Names as folders by ":", counted over what was found; opened along one path, a page of lines at most."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

SEPARATOR = b":"
MOST_LEVELS = 12
MOST_PREFIX_BYTES = 256
MOST_LINES = 200
OPEN_ALL_UP_TO = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A folder (its whole prefix with the separator, and how many of the found names are in it) or a key."""

    name: bytes
    level: int
    found_count: int
    is_folder: bool
    is_open: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Tree:
    lines: tuple[Line, ...]
    more_count: int


@dataclass(slots=True)
class _Folder:
    prefix: bytes
    found_count: int = 0
    folders: dict[bytes, _Folder] = field(default_factory=dict)
    names: list[bytes] = field(default_factory=list)


def tree(names: Sequence[bytes], *, opened: bytes = b"") -> Tree:
    """Folders first, then keys, each by name. A folder is open on the way to `opened`, when it is the only line of its
    folder, and when all that was found is short."""
    root = _grown(names)
    every = len(names) <= OPEN_ALL_UP_TO
    lines: list[Line] = []
    more_count = 0
    for line in _lines(root, opened, 0, every=every):
        if len(lines) < MOST_LINES:
            lines.append(line)
        else:
            more_count += 1
    return Tree(lines=tuple(lines), more_count=more_count)


def _grown(names: Sequence[bytes]) -> _Folder:
    """The folders are walked once for all names that stand side by side, not once a name."""
    root = _Folder(b"", found_count=len(names))
    for path, beside in _by_path(names).items():
        folder = root
        for prefix in _prefixes(path):
            if prefix not in folder.folders:
                folder.folders[prefix] = _Folder(prefix)
            folder = folder.folders[prefix]
            folder.found_count += len(beside)
        folder.names += beside
    return root


def _by_path(names: Sequence[bytes]) -> dict[bytes, list[bytes]]:
    """b"a:b:c" under b"a:b:"; a separator at the very end makes no folder of its own."""
    by_path: dict[bytes, list[bytes]] = defaultdict(list)
    for name in names:
        by_path[name[: name.rfind(SEPARATOR, 0, -1) + 1]].append(name)
    return by_path


def _prefixes(path: bytes) -> Iterator[bytes]:
    """b"a:b:" -> b"a:", b"a:b:"; neither too deep nor too long."""
    at = -1
    for _ in range(MOST_LEVELS):
        at = path.find(SEPARATOR, at + 1)
        if at < 0 or at >= MOST_PREFIX_BYTES:
            return
        yield path[: at + 1]


def _lines(folder: _Folder, opened: bytes, level: int, *, every: bool) -> Iterator[Line]:
    alone = len(folder.folders) == 1 and not folder.names
    for prefix in sorted(folder.folders):
        child = folder.folders[prefix]
        is_open = every or alone or opened.startswith(prefix)
        yield Line(name=prefix, level=level, found_count=child.found_count, is_folder=True, is_open=is_open)
        if is_open:
            yield from _lines(child, opened, level + 1, every=every)
    for name in sorted(folder.names):
        yield Line(name=name, level=level, found_count=1, is_folder=False)
