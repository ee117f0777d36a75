"""The page to compare with: signed in, one table, nothing else."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.template import engines

TEMPLATE = """<!doctype html><html><head><title>Bare</title></head><body><p>{{ request.user.username }}</p><table>
{% for row in rows %}<tr>{% for cell in row %}<td>{{ cell }}</td>{% endfor %}</tr>
{% endfor %}</table></body></html>"""


class Show:
    """The view; `rows` are set by the benchmark before it measures."""

    permission = "console.use"

    def __init__(self) -> None:
        self.rows: list[list[str]] = []
        self._template = engines["django"].from_string(TEMPLATE)

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return HttpResponse(self._template.render({"rows": self.rows}, request))


show = Show()
