"""What a server is set to, and what of it changed since when. Secrets are never kept: not the value, not a trace of it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from apps.engine.contracts.probe import label_of
from apps.engine.text import storable
from apps.history.catalogue import configurations
from apps.history.noticing import version_of
from apps.history.setting_models import Setting
from apps.servers.models import Server

Raw = Mapping[str, Any]
MOST_LISTED = 20
MOST_KEPT = 1000  # settings of one node
LONGEST = 1000
NOT_SET = "not set"
SECRET_NAME = re.compile(r"pass|secret|auth|conninfo|token|cred|private", re.IGNORECASE)
HARMLESS = frozenset({"tls-auth-clients", "authentication_timeout", "password_encryption"})
DIGEST = re.compile(r"\A(set, [0-9a-f]{8}|not set)( \(.*\))?\Z")  # what a probe may tell of a secret
SECRET_VALUE = re.compile(r"(pass(word|wd|phrase)?|secret|token)\s*[=:]|://[^/\s]*:[^/\s]*@|-----BEGIN", re.IGNORECASE)
HIDDEN = "not kept: it holds a secret"


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What changed between two looks, as an event tells it."""

    words: str
    detail: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What one probe of configuration told: texts by the names of settings, and of which version."""

    probe: str
    version: str
    values: Mapping[str, str]


def moved(before: Raw, now: Raw) -> list[Answer]:
    """The answers of the probes of configuration that are others than before: none, nearly always. Cost: none."""
    found = []
    for key in configurations():
        figures = now.get(key, {}).get("figures") or {}
        if figures and figures != before.get(key, {}).get("figures"):
            found.append(Answer(probe=key, version=version_of(now), values=_kept(figures)))
    return found


def _kept(figures: Mapping[str, object]) -> dict[str, str]:
    values = {_name(name): _text(value) for name, value in figures.items()}
    known = {name: HIDDEN if SECRET_VALUE.search(value) else value for name, value in values.items()}
    there = {name: value for name, value in known.items() if not is_secret(name) or DIGEST.match(value)}
    return dict(sorted(there.items())[:MOST_KEPT])


def is_secret(name: str) -> bool:
    """Whether the value of a setting must not be kept, by its name."""
    return name not in HARMLESS and SECRET_NAME.search(name) is not None


def take(server: Server, answer: Answer, *, node: str = "", after: datetime, at: datetime) -> Change | None:
    """Keep what a node is set to; what changed since it was kept, or None.

    What a probe tells first of a node, or of a new version, did not change; else what it tells first was set, and what it tells
    no more is not set any more. Cost: one query, and two or three more where something is new or changed.
    """
    rows = Setting.objects.filter(server=server, node=node, probe=answer.probe)
    known = {setting.name: setting for setting in rows}
    comparable = bool(known) and all(setting.version == answer.version for setting in known.values())
    gone = dict.fromkeys(known.keys() - answer.values.keys(), NOT_SET) if comparable else {}
    new = [
        Setting(server=server, node=node, probe=answer.probe, version=answer.version, name=name, value=value, since=at)
        for name, value in answer.values.items()
        if name not in known
    ]
    changed = _changed(known, {**answer.values, **gone}, after=after, at=at)
    if comparable:
        for setting in new:
            setting.former, setting.since_after = NOT_SET, after
    else:
        rows.exclude(name__in=answer.values).delete()
        rows.update(version=answer.version)
    Setting.objects.bulk_create(new, ignore_conflicts=True, batch_size=200)
    Setting.objects.bulk_update(changed, ["former", "value", "since", "since_after"], batch_size=100)
    told = sorted([*changed, *(new if comparable else [])], key=lambda setting: setting.name)
    return _told(told) if told else None


def _changed(
    known: Mapping[str, Setting], values: Mapping[str, str], *, after: datetime, at: datetime
) -> list[Setting]:
    changed = [known[name] for name, value in values.items() if name in known and known[name].value != value]
    for setting in changed:
        setting.former, setting.value = setting.value, values[setting.name]
        setting.since_after, setting.since = after, at
    return changed


def _told(changed: list[Setting]) -> Change:
    lines = [_line(setting) for setting in changed[:MOST_LISTED]]
    words = lines[0] if len(changed) == 1 else f"{len(changed)} settings changed: {', '.join(lines)}"
    rows = [{"name": s.name, "former": _short(s.former), "value": _short(s.value)} for s in changed[:MOST_LISTED]]
    after = changed[0].since_after
    detail = {"changes": rows, "more_count": len(changed) - len(rows), "after": after.isoformat() if after else ""}
    return Change(words=words, detail=detail)


def _line(setting: Setting) -> str:
    if is_secret(setting.name) and setting.value.startswith("set, ") and str(setting.former).startswith("set, "):
        return f"{setting.name} set to another secret"
    return f"{setting.name} {_short(setting.former)} → {_short(setting.value)}"


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
    if DIGEST.match(value):
        return value.partition(",")[0]
    return value if len(value) <= 60 else f"{value[:59]}…"
