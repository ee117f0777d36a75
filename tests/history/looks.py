"""Looks at servers as if they were due, and what they told."""

from __future__ import annotations

from apps.history.models import Event, LastKnown
from apps.history.sampler import sample_due
from apps.servers.models import Server


def looks() -> None:
    """A pass of the sampler, as if every server were due."""
    LastKnown.objects.update(tried_at=None)
    sample_due(deadline_s=5)


def looks_at_settings() -> None:
    """The same, as if the last answers were half an hour old: rare probes are due too."""
    for row in LastKnown.objects.all():
        for part in [part for node in row.raw.values() for part in node.values()]:
            part.update(at_s=part["at_s"] - 1800, up_s=part.get("up_s", 0) - 1800)
        row.save()
    looks()


def told(server: Server) -> list[tuple[str, str]]:
    return list(Event.objects.filter(server=server).order_by("at", "pk").values_list("kind", "words"))
