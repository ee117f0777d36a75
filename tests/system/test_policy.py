"""The browser's side: a strict policy on every answer, and markup that keeps to it."""

from __future__ import annotations

from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import pytest
from django.test import Client

from apps.accounts.models import Operator
from tests.system.conftest import World
from tests.system.routes import server_pages

TEMPLATES = sorted((Path(__file__).resolve().parents[2] / "templates").rglob("*.html"))


class Inline(HTMLParser):
    """Collects what a strict content policy would block."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.found += [
            f"<{tag} {name}>" for name in given if name == "style" or (name.startswith("on") and name != "only")
        ]  # `only` is a word of include tags
        if tag == "style" or (tag == "script" and "src" not in given and given.get("type") != "application/json"):
            self.found.append(f"<{tag}> with content")
        self.found += [
            f"<{tag} {n}={v}>"
            for n, v in given.items()
            if n in ("href", "src", "action") and (v or "").startswith(("javascript:", "//"))
        ]


def inline_in(markup: str) -> list[str]:
    parser = Inline()
    parser.feed(markup)
    return parser.found


def test_the_parser_sees_what_it_should_see() -> None:
    assert inline_in('<p style="x"><a onclick="y" href="javascript:z">') == [
        "<p style>",
        "<a onclick>",
        "<a href=javascript:z>",
    ]
    assert inline_in("<script>1</script><style></style>") == ["<script> with content", "<style> with content"]


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_no_template_holds_anything_inline(template: Path) -> None:
    source = template.read_text()
    assert inline_in(source) == []
    assert "|safe" not in source and "autoescape off" not in source and "hx-on" not in source


@pytest.mark.django_db
@pytest.mark.parametrize("path", ["/accounts/login/", "/livez", "/no-such-page/", "/", "/servers/none/keyspace/"])
def test_every_answer_carries_the_policy(path: str, alice: Operator, as_operator: Callable[[Operator], Client]) -> None:
    for client in (Client(), as_operator(alice)):
        policy = client.get(path)["Content-Security-Policy"]
        assert "default-src 'none'" in policy and "script-src 'self'" in policy and "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy


@pytest.mark.parametrize("kind", ["redis", "postgres"])
def test_no_page_holds_anything_inline(
    kind: str, world: World, alice: Operator, as_operator: Callable[[Operator], Client]
) -> None:
    client = as_operator(alice)
    for path in [
        "/",
        "/queues/",
        "/backups/",
        "/timeline/",
        f"/timeline/?server={kind}-dev",
        *(r.path(f"{kind}-dev") for r in server_pages(kind)),
    ]:
        response = client.get(path)
        assert response.status_code == 200, path
        assert inline_in(response.content.decode()) == [], path
        assert response["Cache-Control"] == "no-store"
