"""Answers of a server as figures: one name a figure, with a label in brackets where there are many of one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from apps.engine.connections.postgres import PostgresNode, postgres_node
from apps.engine.contracts.probe import Value
from apps.engine.files import sql_text
from apps.engine.target import Target
from apps.engine.text import plain

SQL = Path(__file__).resolve().parent / "sql"
MOST_LABEL_BYTES = 130  # schema.table, each of 63 bytes at most


def labelled(figure: str, label: bytes | str) -> str:
    """`calls_per_s` of `get` as `calls_per_s[get]`; what cannot be seen in a label is written as an escape."""
    raw = label.encode("utf-8", "surrogateescape") if isinstance(label, str) else label
    return f"{figure}[{plain(raw, most=MOST_LABEL_BYTES)}]"


def figures_of(rows: Iterable[Mapping[str, Value]]) -> dict[str, Value]:
    """Columns as figures. The column `label` names the thing a row is about: its figures carry it, those unknown are left out."""
    found: dict[str, Value] = {}
    for row in rows:
        label = row.get("label")
        for name, value in row.items():
            if name == "label" or (label is not None and value is None):
                continue
            found[name if label is None else labelled(name, str(label))] = value
    return found


def told(node: PostgresNode, name: str) -> dict[str, Value]:
    """What one statement of sql/ tells. Cost: one statement. Errors: those of a statement of postgres_node."""
    return figures_of(node.records(dict, sql_text(SQL, name, major=node.version)))


def answers(target: Target, *names: str) -> dict[str, Value]:
    """What some statements of sql/ tell, asked over one session. Errors: those of postgres_node."""
    with postgres_node(target) as node:
        return {figure: value for name in names for figure, value in told(node, name).items()}
