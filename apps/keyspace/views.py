"""Looking through the keys of a Redis server, and opening one. Nothing here changes the server."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import structlog
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from apps.accounts.access import decide, operator_of, require
from apps.engine import text
from apps.engine.errors import Gone
from apps.engine.target import Kind, Target
from apps.keyspace.browsing import Asked, listing
from apps.keyspace.decoders import View
from apps.keyspace.forms import KeysForm, PaneForm
from apps.keyspace.presented import ShownItem, presented
from apps.keyspace.reads.contents import Page
from apps.keyspace.reads.look import TYPES
from apps.keyspace.reads.opened import OpenedKey, open_key
from apps.keyspace.shown_lines import shown_lines
from apps.servers.access import server_page
from apps.servers.fragments import fragment, part
from apps.servers.models import Server
from apps.servers.panels import Panel, read_panel

LENGTH_WORDS = {
    "string": "Size",
    "hash": "Fields",
    "list": "Elements",
    "set": "Members",
    "zset": "Members",
    "stream": "Entries",
}
VIEWS = ((View.AUTO, "Auto"), (View.TEXT, "Text"), (View.JSON, "JSON"), (View.HEX, "Hex"))
log = structlog.get_logger(__name__)


@server_page("keyspace.names", kind=Kind.REDIS)
def keys(request: HttpRequest, server: Server) -> HttpResponse:
    """The list, and beside it the key that `?key=` names. The pane alone, as a fragment, costs no scan."""
    form = _keys_form(request, server)
    context: dict[str, Any] = {
        "server": server,
        "may_open": _may(request, server, "keyspace.values"),
        "views": VIEWS,
        "types": TYPES,
        "pane": _pane(request, server, form, request.GET.get("key", "")),
    }
    if fragment(request) == "key":
        return render(request, "keyspace/keys.html#key", context)
    return render(request, "keyspace/keys.html", context | _list_context(request, server, form, context["pane"]))


@server_page("keyspace.values", kind=Kind.REDIS)
def opened(request: HttpRequest, server: Server, ref: str) -> HttpResponse:
    """One key alone, at an address of its own."""
    pane = _pane(request, server, _keys_form(request, server), ref)
    context = {"server": server, "pane": pane, "alone": True, "views": VIEWS}
    return render(request, part(request, "keyspace/key.html", "key"), context)


def _may(request: HttpRequest, server: Server, permission: str) -> bool:
    return decide(operator_of(request), permission, server.place).allowed


# The list ---------------------------------------------------------------------------------------------------------


def _keys_form(request: HttpRequest, server: Server) -> KeysForm:
    nodes = [str(address) for address in server.address_list()]
    database = int(server.database) if server.database.isdecimal() else 0
    return KeysForm(request.GET, nodes=nodes, database=database)


def _target(server: Server, form: KeysForm) -> Target:
    """The server as this page looks at it: through the chosen node, in the chosen database."""
    target, node = server.target(), form.cleaned_data.get("node", "")
    chosen = next((address for address in target.addresses if str(address) == node), target.address)
    return replace(target.at(chosen), database=str(form.cleaned_data.get("db", form.default_database)))


def _list_context(request: HttpRequest, server: Server, form: KeysForm, pane: Pane) -> dict[str, Any]:
    if not form.is_valid():
        return {"refused": [str(error) for errors in form.errors.values() for error in errors]}
    cleaned = form.cleaned_data
    asked = Asked(
        glob=cleaned["pattern"],
        key_type=cleaned["type"],
        position=cleaned["from"],
        layout=cleaned["layout"] or "tree",
        page=cleaned["page"] or 1,
        opened=cleaned["open"],
    )
    panel = read_panel(lambda: listing(_target(server, form), asked=asked))
    lines = panel.value.lines if panel.value else ()
    found = {database.number for database in panel.value.databases} if panel.value else set()
    return {
        "asked": asked,
        "panel": panel,
        "lines": shown_lines(
            lines,
            query=request.GET,
            may_open=_may(request, server, "keyspace.values"),
            picked=pane.name if pane.ref else None,
            is_tree=asked.layout != "list",
        ),
        "db": cleaned["db"],
        "numbers": sorted(found | {0, cleaned["db"]}),
        "nodes": [str(address) for address in server.address_list()],
        "after": panel.value.look.after.text() if panel.value else "",
    }


# One key ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Pane:
    """The right side. `name` is empty when no key was chosen; `forbidden` when the role may not open keys here."""

    ref: str = ""
    name: bytes = b""
    panel: Panel[OpenedKey] | None = None
    items: tuple[ShownItem, ...] = ()
    view: View = View.AUTO
    newest_first: bool = False
    field: bytes | None = None
    unmasked: bool = False
    may_unmask: bool = False
    forbidden: bool = False
    refused: tuple[str, ...] = ()
    kept: tuple[tuple[str, str], ...] = ()
    db: int = 0
    node: str = ""

    @property
    def shown_count(self) -> int:
        """Elements on this page; an entry of a stream is one, however many fields it has."""
        held = self.panel.value.contents if self.panel and self.panel.value else None
        if held and held.command.startswith("X"):
            return len({shown.item.label for shown in self.items})
        return len(self.items)

    @property
    def length_word(self) -> str:
        opened = self.panel.value if self.panel else None
        return LENGTH_WORDS.get(opened.facts.key_type, "Length") if opened else ""


def _pane(request: HttpRequest, server: Server, keys_form: KeysForm, ref: str) -> Pane:
    if not ref:
        return Pane()
    if not _may(request, server, "keyspace.values"):
        return Pane(ref=ref, forbidden=True)
    require(request, "keyspace.values", server.place)
    form = PaneForm(request.GET)
    try:
        name = text.unref(ref)
    except Gone as gone:
        return Pane(ref=ref, refused=(gone.message,))
    if not form.is_valid() or not keys_form.is_valid():
        told = {**form.errors, **keys_form.errors}
        return Pane(ref=ref, name=name, refused=tuple(str(error) for errors in told.values() for error in errors))
    return _opened_pane(request, server, keys_form, name, form.cleaned_data)


def _opened_pane(
    request: HttpRequest, server: Server, keys_form: KeysForm, name: bytes, cleaned: dict[str, Any]
) -> Pane:
    unmasked = _unmasked(request, server)
    view, order = View(cleaned["read"] or "auto"), cleaned["order"]
    field = cleaned["field"] if cleaned["field"] is not None else cleaned["name"]
    page = Page(at=cleaned["at"], newest_first=order == "down" if order else None, field=field)
    panel = read_panel(lambda: open_key(_target(server, keys_form), name=name, page=page))
    held = panel.value.contents if panel.value else None
    return Pane(
        ref=text.ref(name),
        name=name,
        kept=tuple((k, str(v)) for k, v in request.GET.items() if k not in ("name", "field", "at")),
        panel=panel,
        items=presented(held, view=view, unmasked=unmasked) if held else (),
        view=view,
        newest_first=order == "down" if order else bool(held and held.command.startswith("XREV")),
        field=field,
        unmasked=unmasked,
        may_unmask=_may(request, server, "data.unmask"),
        db=keys_form.cleaned_data["db"],
        node=keys_form.cleaned_data["node"],
    )


def _unmasked(request: HttpRequest, server: Server) -> bool:
    """Values stay masked until asked for, by someone who may; what that needs (a reason, a fresh sign-in) is `require`'s."""
    if request.GET.get("show") != "1":
        return False
    require(request, "data.unmask", server.place)
    log.info("values shown", operator=operator_of(request).get_username(), server=server.key)
    return True
