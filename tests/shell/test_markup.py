"""Every template and every page keeps the strict content policy: nothing inline, nothing unescaped."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from django.conf import settings
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver

from apps.accounts.models import Operator, Role
from apps.servers.models import Server
from tests.conftest import grant
from tests.shell.markup import forbidden

TEMPLATES = sorted(Path(settings.BASE_DIR, "templates").rglob("*.html"))
OURS = str(settings.BASE_DIR)
UNESCAPED = re.compile(r"\|\s*safe\b|\|\s*safeseq\b|mark_safe|autoescape\s+off")


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda p: str(p.relative_to(settings.BASE_DIR)))
def test_a_template_has_nothing_inline_and_nothing_unescaped(path: Path) -> None:
    source = path.read_text(encoding="utf-8")
    tags = re.sub(r"\{%.*?%\}|\{\{.*?\}\}|\{#.*?#\}", "", source, flags=re.DOTALL)
    assert forbidden(tags) == []
    assert UNESCAPED.search(source) is None


def test_the_parser_finds_what_it_looks_for() -> None:
    html = '<p style="x"><a onclick="x" href="javascript:x">x</a><script>x</script><style>x</style><script src="/x"></script>'
    assert len(forbidden(html)) == 5


def routes() -> Iterator[str]:
    """Every route of the console that takes nothing, or only the key of a server."""

    def walk(patterns: list[URLPattern | URLResolver], prefix: str) -> Iterator[str]:
        for pattern in patterns:
            path = prefix + str(pattern.pattern)
            if isinstance(pattern, URLResolver):
                yield from walk(pattern.url_patterns, path)
            elif "(" not in path and path.count("<") == path.count("<slug:key>"):
                yield "/" + path

    return walk(get_resolver().url_patterns, "")


ROUTES = sorted(set(routes()))
WITHOUT_A_PAGE = ("/livez", "/readyz", "/metrics", "/marks/deploy", "/accounts/logout/")


def freshly(client: Client) -> Client:
    """As if the password had just been given, so that the forms behind a fresh sign-in are seen too."""
    session = client.session
    session["account_authentication_methods"] = [{"method": "password", "at": time.time()}]
    session.save()
    return client


@pytest.mark.django_db
@pytest.mark.parametrize("route", [route for route in ROUTES if route not in WITHOUT_A_PAGE])
@pytest.mark.parametrize("kind", ["redis", "postgres"])
def test_a_page_has_nothing_inline_even_when_its_server_is_dead(
    route: str, kind: str, alice: Operator, as_operator: Callable[[Operator], Client], refusing_port: int
) -> None:
    if kind == "postgres" and "<" not in route:
        pytest.skip("seen once already")
    address = {"host": "127.0.0.1", "port": refusing_port}
    Server.objects.create(key="dead", kind=kind, environment="dev", addresses=[address])
    grant(alice, Role.ADMIN)
    answer = freshly(as_operator(alice)).get(route.replace("<slug:key>", "dead"))
    foreign = [t.origin.name for t in answer.templates if t.origin and not str(t.origin.name).startswith(OURS)]
    if any(name.endswith(".html") and "/forms/" not in name for name in foreign):
        pytest.skip(f"not a page of ours: {foreign[0]}")
    assert answer.status_code in (200, 302, 303, 403, 404, 405)
    assert forbidden(answer.content.decode()) == []
    policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy


PARTS = re.compile(r'<[a-z]+[^>]*\bid="([^"]+)"[^>]*\bdata-poll="[0-9]+"[^>]*>')


@pytest.mark.django_db
@pytest.mark.parametrize("route", [route for route in ROUTES if route not in WITHOUT_A_PAGE])
@pytest.mark.parametrize("kind", ["redis", "postgres"])
def test_every_part_that_refreshes_itself_answers_to_its_name(
    route: str, kind: str, alice: Operator, as_operator: Callable[[Operator], Client], refusing_port: int
) -> None:
    address = {"host": "127.0.0.1", "port": refusing_port}
    Server.objects.create(key="dead", kind=kind, environment="dev", addresses=[address])
    grant(alice, Role.ADMIN)
    client, path = freshly(as_operator(alice)), route.replace("<slug:key>", "dead")
    page = client.get(path).content.decode()
    for tag in PARTS.finditer(page):
        there = re.search(r'data-poll-url="([^"]*)"', tag[0])
        url = there[1].replace("&amp;", "&") if there else path
        answer = client.get(url, headers={"HX-Request": "true", "HX-Target": tag[1]})
        assert answer.status_code == 200
        assert f'id="{tag[1]}"' in answer.content.decode()
        assert "<html" not in answer.content.decode()
