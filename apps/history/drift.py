"""What a server is set to, and what of it changed since when. Secrets are never kept: not the value, not a trace of it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any

from apps.engine.contracts.probe import label_of
from apps.engine.text import storable
from apps.history.catalogue import probes
from apps.history.setting_models import Setting
from apps.servers.models import Server

Raw = Mapping[str, Any]
MOST_LISTED = 20
MOST_KEPT = 1000  # settings of one node
LONGEST = 1000
SECRET_NAME = re.compile(r"pass|secret|auth(?!entication_timeout)|conninfo|token|credential|private", re.IGNORECASE)
SECRET_VALUE = re.compile(r"(pass(word|wd|phrase)?|secret|token)\s*[=:]|://[^/\s]*:[^/\s]*@|-----BEGIN", re.IGNORECASE)
HIDDEN = "not kept: it holds a secret"


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What changed between two looks, as an event tells it."""

    words: str
    detail: Mapping[str, Any]


def moved(before: Raw, now: Raw) -> dict[str, str]:
    """The settings of all probes of configuration that gave another answer than before: nothing, nearly always. Cost: none."""
    found: dict[str, str] = {}
    for key in _of_configuration():
        figures = now.get(key, {}).get("figures") or {}
        if figures and figures != before.get(key, {}).get("figures"):
            found |= {_name(name): _text(value) for name, value in figures.items()}
    kept = {
        name: HIDDEN if SECRET_VALUE.search(value) else value for name, value in found.items() if not is_secret(name)
    }
    return dict(sorted(kept.items())[:MOST_KEPT])


@cache
def _of_configuration() -> tuple[str, ...]:
    return tuple(key for key, probe in probes().items() if probe.configuration)


def is_secret(name: str) -> bool:
    """Whether a setting is one whose value nobody may keep, by its name."""
    return SECRET_NAME.search(name) is not None


def take(server: Server, values: Mapping[str, str], *, node: str = "", after: datetime, at: datetime) -> Change | None:
    """Keep what a node is set to; what changed since it was kept, or None. What is seen first did not change.

    Cost: none for no values; one query, and two more where something is new or changed.
    """
    if not values:
        return None
    known = {setting.name: setting for setting in Setting.objects.filter(server=server, node=node)}
    new = [
        Setting(server=server, node=node, name=name, value=value, since=at)
        for name, value in values.items()
        if name not in known
    ]
    Setting.objects.bulk_create(new, ignore_conflicts=True, batch_size=200)
    changed = [known[name] for name, value in values.items() if name in known and known[name].value != value]
    for setting in changed:
        setting.former, setting.value = setting.value, values[setting.name]
        setting.since_after, setting.since = after, at
    Setting.objects.bulk_update(changed, ["former", "value", "since", "since_after"], batch_size=100)
    return _told(changed) if changed else None


def _told(changed: list[Setting]) -> Change:
    lines = [f"{setting.name} {_short(setting.former)} → {_short(setting.value)}" for setting in changed[:MOST_LISTED]]
    words = lines[0] if len(changed) == 1 else f"{len(changed)} settings changed: {', '.join(lines)}"
    rows = [{"name": s.name, "former": _short(s.former), "value": _short(s.value)} for s in changed[:MOST_LISTED]]
    first = changed[0]
    detail = {
        "changes": rows,
        "more_count": len(changed) - len(rows),
        "after": first.since_after and first.since_after.isoformat(),
    }
    return Change(words=words, detail=detail)


def changed_lately(server: Server, *, limit: int = 50) -> list[Setting]:
    """The settings that were seen to change, newest first. Cost: one query over an index."""
    return list(Setting.objects.filter(server=server).exclude(former=None).order_by("-since", "name")[:limit])


def known_since(server: Server) -> tuple[int, datetime | None]:
    """How many settings are known, and since when the first of them is."""
    known = Setting.objects.filter(server=server)
    first = known.order_by("pk").values_list("since", flat=True).first()
    return known.count(), first


def _name(figure: str) -> str:
    """`work_mem` of `setting[work_mem]`."""
    return storable(label_of(figure) or figure)[:128]


def _text(value: object) -> str:
    return storable(str(int(value) if isinstance(value, float) and value.is_integer() else value))[:LONGEST]


def _short(value: str | None) -> str:
    if not value:
        return "(empty)"
    return value if len(value) <= 60 else f"{value[:59]}…"
