"""The settings of a PostgreSQL that somebody made, to notice when one is changed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from apps.engine.connections.postgres import postgres_node
from apps.engine.contracts.probe import Probe, Value
from apps.engine.files import sql_text
from apps.engine.target import Kind, Target
from apps.history.settings_seen import kept

SQL = Path(__file__).resolve().parent.parent / "sql"


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    name: str
    value: str
    is_waiting: bool


def read(target: Target) -> Mapping[str, Value]:
    """Shape: settings that are not as built in, by name, as text; secrets as a digest, extensions' own settings too.

    Cost: one statement, below 2 ms. Errors: those of postgres_node. Source: pg_settings; without pg_read_all_settings those
    that the server keeps to itself are left out.
    """
    with postgres_node(target) as node:
        settings = node.records(Setting, sql_text(SQL, "settings", major=node.version))
    return {each.name: _told(each) for each in settings}


def _told(setting: Setting) -> str:
    value = kept(setting.name, setting.value.encode())
    return f"{value} (another value waits for a restart)" if setting.is_waiting else value


PROBE = Probe(
    key="postgres_settings",
    kind=Kind.POSTGRES,
    read=read,
    cost="one statement, below 2 ms",
    every_s=300.0,
    essential=False,
    configuration=True,
)
