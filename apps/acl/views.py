from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from apps.servers.access import server_page
from apps.servers.models import Server


@server_page("acl.view")
def users(request: HttpRequest, server: Server) -> HttpResponse:
    return render(request, "acl/users.html", {"server": server})
