"""What tags make once a process: equal texts are not the same text when only one of them is safe."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.utils.html import escape
from django.utils.safestring import SafeString

from apps.shell.templatetags import shell
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
