"""The registry: which servers there are, registering, changing and removing one, and what its account may do."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST, require_safe

from apps.accounts.access import Denied, Place, console_page, decide, declared, operator_of, require
from apps.accounts.models import Operator
from apps.engine.target import Profile
from apps.servers.access import server_page, visible_servers
from apps.servers.forms import RemovalForm, ServerForm
from apps.servers.fragments import part
from apps.servers.models import Server
from apps.servers.panels import Panel, read_panel
from apps.servers.probing import probe_server
from apps.servers.reads import ConnectionReport
from apps.servers.registration import Registration, save
from apps.servers.registration import remove as forget
from apps.servers.show import nodes_of, rights_known, rights_of, rights_summary
from apps.servers.tries import try_connection

MANAGE = "servers.manage"


@require_safe
@console_page("console.use")
def registry(request: HttpRequest) -> HttpResponse:
    """Every server in scope, and how it came to be registered."""
    operator = operator_of(request)
    rows = [(server, rights_summary(server)) for server in visible_servers(operator)]
    may_register = bool(manageable_environments(operator))
    return render(request, "servers/list.html", {"rows": rows, "may_register": may_register})


def manageable_environments(operator: Operator) -> list[str]:
    """Where this operator may register servers. Cost: no query beyond the operator's assignments."""
    return [name for name in settings.ENVIRONMENTS if decide(operator, MANAGE, Place(environment=name, key="")).allowed]


@declared(MANAGE)
def register(request: HttpRequest) -> HttpResponse:
    operator = operator_of(request)
    environments = manageable_environments(operator)
    if not environments:
        raise Denied(MANAGE)
    require(request, MANAGE, Place(environment=environments[0], key=""))
    return _registration_page(request, environments, stored=None)


@server_page(MANAGE)
def edit(request: HttpRequest, server: Server) -> HttpResponse:
    require(request, MANAGE, server.place)
    if server.declared:
        messages.info(request, f"{server.key} is declared in servers.toml: change it there.")
        return redirect("servers:detail", server.key)
    environments = dict.fromkeys([*manageable_environments(operator_of(request)), server.environment])
    return _registration_page(request, list(environments), stored=server)


def _registration_page(request: HttpRequest, environments: list[str], *, stored: Server | None) -> HttpResponse:
    form = ServerForm(request.POST or None, environments=environments, stored=stored)
    panel: Panel[ConnectionReport] | None = None
    if form.is_valid():
        registration = form.registration()
        require(request, MANAGE, registration.place)
        if "try" not in request.POST:
            return _saved(request, registration, stored)
        panel = read_panel(
            lambda: try_connection(operator_of(request), registration.target(_tried_profile(request), stored=stored))
        )
    context = {
        "form": form,
        "panel": panel,
        "stored": stored,
        "is_first": stored is None and not Server.objects.exists(),
        "rights": rights_of(panel.value.rights.capabilities) if panel and panel.value else None,
        "monitor_stored": stored.credentials.filter(profile=Profile.MONITOR).first() if stored else None,
        "key_stored": stored if stored and stored.tls_key else None,
    }
    return render(request, "servers/register.html", context, status=422 if form.errors else 200)


def _tried_profile(request: HttpRequest) -> Profile:
    """Which of the accounts the pressed button names; monitor unless it names another that is filled in."""
    pressed = request.POST.get("try", "")
    return Profile(pressed) if pressed in list(Profile) and request.POST.get(f"{pressed}_username") else Profile.MONITOR


def _saved(request: HttpRequest, registration: Registration, stored: Server | None) -> HttpResponse:
    server = save(registration, by=operator_of(request).username, stored=stored)
    server = Server.objects.prefetch_related("credentials").get(pk=server.pk)
    outcome = probe_server(server)
    did = "changed" if stored else "registered"
    if outcome.error is None:
        messages.success(request, f"{server.key} is {did}.")
    else:
        messages.warning(request, f"{server.key} is {did}. It could not be asked yet: {outcome.error.message}")
    return redirect("servers:detail", server.key)


@server_page(MANAGE)
def remove(request: HttpRequest, server: Server) -> HttpResponse:
    require(request, MANAGE, server.place)
    form = RemovalForm(server, request.POST or None)
    if form.is_valid():
        forget(server, by=operator_of(request).username)
        messages.success(request, f"{server.key} is not registered any more. Nothing changed on the server itself.")
        return redirect("overview")
    return render(request, "servers/remove.html", {"server": server, "form": form}, status=422 if form.errors else 200)


@require_safe
@server_page("servers.view")
def detail(request: HttpRequest, server: Server) -> HttpResponse:
    """What a server is, its nodes, and what the console's account may not do there."""
    template = part(request, "servers/detail.html", "nodes")
    return render(request, template, _detail(request, server, nodes=True))


def _detail(request: HttpRequest, server: Server, *, nodes: bool) -> dict[str, Any]:
    return {
        "server": server,
        "nodes": nodes_of(server) if nodes else [],
        "rights": rights_known(server),
        "may_manage": decide(operator_of(request), MANAGE, server.place).allowed,
        "problems": [(c, c.problem) for c in server.credentials.all() if c.problem],
    }


@require_safe
@server_page("servers.view")
def capabilities(request: HttpRequest, server: Server) -> HttpResponse:
    """Every feature, with the right it needs and whether the account holds it, as the last probe found."""
    return render(request, "servers/capabilities.html", _detail(request, server, nodes=False))


@require_POST
@server_page("servers.view")
def probe_again(request: HttpRequest, server: Server) -> HttpResponse:
    """Asks the server what the account may do, and keeps it in the console. Changes nothing on the server."""
    outcome = probe_server(server)
    if outcome.error is not None:
        messages.warning(request, f"Not probed: {outcome.error.message} {outcome.error.way_out}".strip())
    return redirect("servers:capabilities", server.key)
