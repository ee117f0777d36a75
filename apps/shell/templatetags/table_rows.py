"""Long tables: rows of one template each, which holds text and values only.

    {% rows clients "activity/parts/client.html" %}     with {{ row.name }} and the like in it
    {% rows lines %}                                    where each record names its `row_template`

A loop of the template language takes ten times as long for a cell as to put it there. What a cell says, and whether a class or
a tag stands in it, is decided by the record of the row, before. Every value is escaped unless it is safe, as in any template.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import lru_cache
from operator import attrgetter
from typing import Any

from django import template
from django.template.base import Node, TextNode, VariableNode
from django.template.engine import Engine
from django.utils.html import conditional_escape, format_html
from django.utils.safestring import SafeString

register = template.Library()


NOTHING = SafeString("")


@lru_cache(maxsize=64)
def class_of(name: str) -> SafeString:
    """The attribute of a row that has a class; nothing for "": <tr{{ row.edge }}>."""
    return format_html(' class="{}"', name) if name else NOTHING


@register.simple_tag
def rows(records: Iterable[Any], piece: str = "") -> SafeString:
    """One row a record. Errors: TemplateSyntaxError for a row template that decides or filters something."""
    return SafeString("".join([_row(record, piece or record.row_template) for record in records]))


def _row(record: Any, piece: str) -> str:
    line, values_of = _laid_out(piece)
    return line % tuple(map(conditional_escape, values_of(record)))


@lru_cache(maxsize=64)
def _laid_out(piece: str) -> tuple[str, Callable[[Any], tuple[Any, ...]]]:
    """The text of a row with a blank for each value, and what gives a record's values in their order."""
    nodes = Engine.get_default().get_template(piece).nodelist
    names = [_value_name(node, piece) for node in nodes if not isinstance(node, TextNode)]
    if len(names) < 2:
        raise template.TemplateSyntaxError(f"{piece} is the row of a table: it has two values or more.")
    line = "".join([node.s.replace("%", "%%") if isinstance(node, TextNode) else "%s" for node in nodes])
    return line.removesuffix("\n"), attrgetter(*names)


def _value_name(node: Node, piece: str) -> str:
    told = node.filter_expression if isinstance(node, VariableNode) else None
    lookups = getattr(told.var, "lookups", None) if told and not told.filters else None
    if not lookups or len(lookups) != 2 or lookups[0] != "row":
        raise template.TemplateSyntaxError(f"{piece} may hold text and values such as row.name only, not {node.token}.")
    return str(lookups[1])
