"""Rows of the console's own tables by SQL that stands written: for the few questions that every page asks.

Django takes longer to put such a question into SQL than the database to answer it. Values become what the model's fields say,
by Django's own converters, on SQLite and on PostgreSQL alike.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, TypeVar

from django.db import DEFAULT_DB_ALIAS, connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import Model

Row = TypeVar("Row", bound=Model)


def rows(model: type[Row], statement: str, parameters: Sequence[Any] = ()) -> list[Row]:
    """The rows of a model's table that a statement selects. Cost: one query; a column that it leaves out, one more when used."""
    database = connections[DEFAULT_DB_ALIAS]
    with database.cursor() as cursor:
        cursor.execute(statement, parameters)
        columns = tuple(column[0] for column in cursor.description)
        found = cursor.fetchall()
    places, names, converted = _shape(model, columns, database.vendor)
    # asked anew each time: converters belong to the connection of their thread
    steps = [(at, expression, _converters(expression, database)) for at, expression in converted]
    return [model.from_db(database.alias, names, _values(row, places, steps, database)) for row in found]


@lru_cache(maxsize=64)
def _shape(
    model: type[Model], columns: tuple[str, ...], _vendor: str
) -> tuple[list[int], list[str], list[tuple[int, Any]]]:
    """Where in a row each field stands, in the model's order; its name; and where a value has to be converted."""
    fields = [field for field in model._meta.concrete_fields if field.column in columns]
    expressions = [(at, field.get_col(model._meta.db_table)) for at, field in enumerate(fields)]
    database = connections[DEFAULT_DB_ALIAS]
    return (
        [columns.index(field.column) for field in fields],
        [field.attname for field in fields],
        [(at, expression) for at, expression in expressions if _converters(expression, database)],
    )


def _converters(expression: Any, database: BaseDatabaseWrapper) -> list[Any]:
    return [*database.ops.get_db_converters(expression), *expression.get_db_converters(database)]


def _values(
    row: Sequence[Any], places: list[int], steps: list[tuple[int, Any, list[Any]]], database: BaseDatabaseWrapper
) -> list[Any]:
    values = [row[place] for place in places]
    for at, expression, converters in steps:
        for converter in converters:
            values[at] = converter(values[at], expression, database)
    return values
