"""Go to: the pages, servers and sections whose words begin like what was typed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

from apps.accounts.models import Operator
from apps.history.reads import ServerState
from apps.shell.pages import pages, sections, url_of

MOST = 14


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """One line of the list. `signal` and `environment` are empty for pages."""

    title: str
    hint: str
    url: str
    signal: str = ""
    environment: str = ""

    @property
    def words(self) -> str:
        return f"{self.title} {self.hint} {self.environment}".lower()


def find(operator: Operator, states: list[ServerState], query: str) -> list[Place]:
    """At most MOST places, in the order of the side list. Every word typed has to occur; sections only when something was typed."""
    words = query.lower().split()[:8]
    found = (p for p in _places(operator, states, deep=bool(words)) if all(word in p.words for word in words))
    return list(islice(found, MOST))


def _places(operator: Operator, states: list[ServerState], *, deep: bool) -> Iterator[Place]:
    yield from (Place(title=page.title, hint="page", url=page.url) for page in pages(operator))
    for state in states:
        server = state.server
        url = url_of("monitoring:server", server.key)
        yield Place(title=server.key, hint=state.reason, url=url, signal=state.signal, environment=server.environment)
    for state in states if deep else ():
        for section in sections(state.server, operator):
            if not section.refused:
                yield Place(
                    title=state.server.key, hint=section.title, url=section.url, environment=state.server.environment
                )
