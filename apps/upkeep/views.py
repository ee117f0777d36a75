from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from apps.servers.access import server_page
from apps.servers.models import Server


@server_page("upkeep.view")
def upkeep(request: HttpRequest, server: Server) -> HttpResponse:
    return render(request, "upkeep/upkeep.html", {"server": server})
