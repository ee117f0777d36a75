from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from apps.accounts.access import console_page
from apps.servers.access import server_page
from apps.servers.models import Server


@server_page("backups.view")
def server(request: HttpRequest, server: Server) -> HttpResponse:
    return render(request, "backups/server.html", {"server": server})


@console_page("console.use")
def fleet(request: HttpRequest) -> HttpResponse:
    return render(request, "backups/fleet.html")
