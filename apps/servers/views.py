from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from apps.servers.access import server_page
from apps.servers.models import Server


@server_page("servers.view")
def detail(request: HttpRequest, server: Server) -> HttpResponse:
    return render(request, "servers/detail.html", {"server": server})
