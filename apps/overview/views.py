from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from apps.accounts.access import console_page


@console_page("console.use")
def overview(request: HttpRequest) -> HttpResponse:
    return render(request, "overview/overview.html")
