"""What a request is answered that failed by no fault of its own."""

from __future__ import annotations

import sys

from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.views.defaults import server_error

AGAIN_S = 5


def failed(request: HttpRequest) -> HttpResponse:
    """503 where the console's own database was busy or out of reach: a later try may do. 500 for everything else."""
    if not isinstance(sys.exc_info()[1], OperationalError | InterfaceError):
        return server_error(request)
    return HttpResponse(render_to_string("503.html"), status=503, headers={"Retry-After": str(AGAIN_S)})
