from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from apps.accounts.access import console_page
from apps.servers.access import server_page
from apps.servers.models import Server


@server_page("queues.view")
def server(request: HttpRequest, server: Server) -> HttpResponse:
    return render(request, "queues/server.html", {"server": server})


@console_page("console.use")
def fleet(request: HttpRequest) -> HttpResponse:
    return render(request, "queues/fleet.html")
