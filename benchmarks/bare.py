"""The page to compare with: signed in, the same words, the same tables, nothing else."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.template import engines
from django.utils.html import escape

from benchmarks.visible import Visible

# The words of a frame are the same on every page: whoever writes a page by hand writes them into the template.
HEAD = "<!doctype html><html><head><title>Bare</title></head><body><p>{{ request.user.username }}</p>"
TABLE = """{% for text in words %}<p>{{ text }}</p>
{% endfor %}<table>{% for row in rows %}<tr>{% for cell in row %}<td>{{ cell }}</td>{% endfor %}</tr>
{% endfor %}</table></body></html>"""


class Show:
    """The view; the benchmark tells it what to show before it measures."""

    permission = "console.use"

    def __init__(self) -> None:
        self.takes(Visible())

    def takes(self, seen: Visible) -> None:
        frame = "".join(f"<span>{escape(text)}</span>" for text in seen.frame)
        self._seen = seen
        self._template = engines["django"].from_string(HEAD + "{% verbatim %}" + frame + "{% endverbatim %}" + TABLE)

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return HttpResponse(self._template.render({"rows": self._seen.rows, "words": self._seen.words}, request))


show = Show()
