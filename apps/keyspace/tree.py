"""Names as folders by ":", counted over what was found; opened along one path, a page of lines at most."""

from __future__ import annotations

from collections import Counter
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
    """`paths` are those of the names that stand right in it; nearly always one, its own prefix."""

    prefix: bytes
    found_count: int = 0
    folders: dict[bytes, _Folder] = field(default_factory=dict)
    paths: list[bytes] = field(default_factory=list)
    beside_count: int = 0


def tree(names: Sequence[bytes], *, opened: bytes = b"") -> Tree:
    """The lines of all these names."""
    grown = Growing()
    grown.take(names)
    return grown.tree(opened=opened)


class Growing:
    """A tree that takes names as they are found. b"a:b:c" stands in b"a:b:"; a separator at the very end makes no folder.

    Thousands of names stand in a few folders, and nearly all folders are closed. So paths are counted first, and names are
    picked out for the folders that are open.
    """

    def __init__(self) -> None:
        self._names: list[bytes] = []
        self._paths: list[bytes] = []
        self._counts: Counter[bytes] = Counter()
        self._at_the_root: list[bytes] = []

    def take(self, names: Sequence[bytes]) -> None:
        """More names, none of them taken before."""
        paths = [name[: name.rfind(SEPARATOR, 0, -1) + 1] for name in names]
        self._names += names
        self._paths += paths
        self._counts.update(paths)
        self._at_the_root += [name for name, path in zip(names, paths, strict=True) if not path]

    def tree(self, *, opened: bytes = b"") -> Tree:
        """Folders first, then keys, each by name. A folder is open on the way to `opened`, when it is the only line of its
        folder, and when all that was found is short."""
        every = len(self._names) <= OPEN_ALL_UP_TO
        lines: list[Line] = []
        more_count = 0
        for few, count in _lines(self._folders(), self, opened, 0, every=every):
            room = MOST_LINES - len(lines)
            lines += few[:room]
            more_count += max(0, count - room)
        return Tree(lines=tuple(lines), more_count=more_count)

    def _folders(self) -> _Folder:
        root = _Folder(b"", found_count=len(self._names))
        for path, count in self._counts.items():
            folder = root
            for prefix in _prefixes(path):
                if prefix not in folder.folders:
                    folder.folders[prefix] = _Folder(prefix)
                folder = folder.folders[prefix]
                folder.found_count += count
            folder.paths.append(path)
            folder.beside_count += count
        return root

    def beside(self, folder: _Folder) -> list[bytes]:
        """The names that stand right in a folder, in order. The root is open on every page, another folder on few."""
        if folder.paths == [b""]:
            return sorted(self._at_the_root)
        every = zip(self._names, self._paths, strict=True)
        if len(folder.paths) == 1:  # nearly always
            (only,) = folder.paths
            return sorted([name for name, path in every if path == only])
        wanted = set(folder.paths)
        return sorted([name for name, path in every if path in wanted])


def _prefixes(path: bytes) -> Iterator[bytes]:
    """b"a:b:" -> b"a:", b"a:b:"; neither too deep nor too long."""
    at = -1
    for _ in range(MOST_LEVELS):
        at = path.find(SEPARATOR, at + 1)
        if at < 0 or at >= MOST_PREFIX_BYTES:
            return
        yield path[: at + 1]


def _lines(
    folder: _Folder, found: Growing, opened: bytes, level: int, *, every: bool
) -> Iterator[tuple[list[Line], int]]:
    """A few lines at a time, and how many they are in all: a folder, or the names beside each other, a page of them at most."""
    alone = len(folder.folders) == 1 and not folder.beside_count
    for prefix in sorted(folder.folders):
        child = folder.folders[prefix]
        is_open = every or alone or opened.startswith(prefix)
        yield [Line(name=prefix, level=level, found_count=child.found_count, is_folder=True, is_open=is_open)], 1
        if is_open:
            yield from _lines(child, found, opened, level + 1, every=every)
    if folder.beside_count:
        few = found.beside(folder)[:MOST_LINES]
        lines = [Line(name=name, level=level, found_count=1, is_folder=False) for name in few]
        yield lines, folder.beside_count
