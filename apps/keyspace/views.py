from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from apps.engine.target import Kind
from apps.servers.access import server_page
from apps.servers.models import Server


@server_page("keyspace.names", kind=Kind.REDIS)
def keys(request: HttpRequest, server: Server) -> HttpResponse:
    return render(request, "keyspace/keys.html", {"server": server})
