"""What tags make once a process: equal texts are not the same text when only one of them is safe."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.utils.html import escape
from django.utils.safestring import SafeString

from apps.shell.context import ServerLine
from apps.shell.templatetags import shell, sqltext
from apps.shell.templatetags.kept import _drawn, kept
from apps.shell.templatetags.sqltext import sql


@pytest.mark.parametrize(
    "made",
    [
        lambda text: shell.count(7, text),
        lambda text: shell.dash(None, text),
        lambda text: shell.icon(text),
        lambda text: shell.sig(text),
        shell.unknown,
    ],
)
def test_a_safe_text_never_stands_for_an_equal_one_that_is_not(made: Callable[[str], SafeString]) -> None:
    told = "&lt;b&gt;"
    assert "&amp;lt;" not in made(escape("<b>"))
    assert "&amp;lt;b&amp;gt;" in made(told)
    assert "&amp;lt;" not in made(escape("<b>"))


@pytest.mark.filterwarnings("error")
def test_what_is_empty_is_shown_as_nothing() -> None:
    assert shell.name(b"") == '<bdi title=""></bdi>'
    assert sql(" ") == '<span title=""></span>'


def test_a_masked_line_that_is_kept_holds_nothing_that_was_masked() -> None:
    statement = "SELECT 1 FROM kept_line WHERE pin = 'sesame-4711' /* sesame-note */"
    masked = sql(statement)
    assert "sesame" not in masked
    assert sql(statement) is masked
    assert masked in sqltext._masked_lines.values()
    assert not [kept for kept in sqltext._masked_lines.items() if b"sesame" in kept[0] or "sesame" in kept[1]]
    assert "sesame-4711" in sql(statement, True)
    assert sql(statement) is masked


def test_masked_lines_are_kept_up_to_a_number() -> None:
    for number in range(sqltext.MASKED_MOST + 10):
        sql(f"SELECT column_{number} FROM kept_lines")
    assert len(sqltext._masked_lines) <= sqltext.MASKED_MOST


def line(reason: str) -> ServerLine:
    return ServerLine("orders-cache", "Redis 7.2", "dev", "warn", reason)


def test_a_piece_is_drawn_once_for_the_same_values_and_anew_for_others() -> None:
    drawn = kept("shell/server.html", server=line("memory 91 %"))
    assert kept("shell/server.html", server=line("memory 91 %")) is drawn
    assert "memory 92 %" in kept("shell/server.html", server=line("memory 92 %"))
    assert 'aria-current="page"' in kept("shell/server.html", server=line("memory 91 %"), current="page")
    assert "aria-current" not in drawn


def test_a_piece_escapes_what_is_not_safe_and_never_mixes_the_two_up() -> None:
    told = "&lt;b&gt;"
    assert "<b>&lt;b&gt;</b>" in kept("shell/crumbs.html", key="orders", here=escape("<b>"))
    assert "<b>&amp;lt;b&amp;gt;</b>" in kept("shell/crumbs.html", key="orders", here=told)
    assert "<b>&lt;b&gt;</b>" in kept("shell/crumbs.html", key="orders", here=escape("<b>"))


def test_a_piece_knows_nothing_of_who_is_signed_in() -> None:
    assert "csrfmiddlewaretoken" not in kept("shell/keys.html")
    assert _drawn.cache_parameters()["maxsize"]
