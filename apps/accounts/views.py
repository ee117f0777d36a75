from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from apps.accounts.access import console_page


@console_page("operators.view")
def operators(request: HttpRequest) -> HttpResponse:
    return render(request, "accounts/operators.html")
