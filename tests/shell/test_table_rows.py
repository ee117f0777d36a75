"""Rows of long tables: what the template language would make of them, without its loop."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from django.template import TemplateSyntaxError
from django.template.loader import render_to_string
from django.utils.safestring import SafeString

from apps.shell.templatetags.table_rows import class_of, rows

FOLDER = "keyspace/parts/folder_row.html"


def folder(**others: Any) -> SimpleNamespace:
    told = {"level": 2, "href": "?open=YTo&page=1", "sign": SafeString("<svg></svg>"), "name": "50 % <b>", "found": 7}
    return SimpleNamespace(**told | others)


@pytest.mark.parametrize("record", [folder(), folder(name=b"\xff", found=None), folder(href='"><script>', name="é‮")])
def test_a_row_is_what_the_template_language_makes_of_it(record: SimpleNamespace) -> None:
    assert rows([record], FOLDER) == render_to_string(FOLDER, {"row": record}).removesuffix("\n")


def test_values_are_escaped_unless_they_are_safe_and_rows_stand_in_order() -> None:
    made = rows([folder(name="first"), folder(name="<i>", href='"x')], FOLDER)
    assert made.index("first") < made.index("&lt;i&gt;")
    assert 'href="&quot;x"' in made
    assert "<svg></svg>" in made
    assert isinstance(made, SafeString)


def test_a_record_may_name_its_row_and_no_record_makes_no_row() -> None:
    assert rows([folder(row_template=FOLDER)]) == rows([folder()], FOLDER)
    assert rows([], FOLDER) == ""


@pytest.mark.parametrize("piece", ["shell/crumbs.html", "shell/where.html", "shell/brand.html"])
def test_a_row_that_decides_or_filters_is_refused(piece: str) -> None:
    with pytest.raises(TemplateSyntaxError):
        rows([folder()], piece)


def test_a_class_is_an_attribute_and_none_is_nothing() -> None:
    assert class_of("edge-crit") == ' class="edge-crit"'
    assert class_of("") == ""
    assert class_of('"') == ' class="&quot;"'
