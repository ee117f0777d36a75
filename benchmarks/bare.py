"""The pages to compare with: signed in, the same words, the same tables, nothing else; and the same with its questions asked."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

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
    """The view; the benchmark tells it what to show before it measures. With `asks` it asks these questions in turn first.

    Like every page it is rendered with the console's context processors, so it reads the fleet that the frame shows; unless
    it is `alone`: then it has nothing but the session, the operator and its words.
    """

    permission = "console.use"

    def __init__(self, *, alone: bool = False) -> None:
        self._alone = alone
        self.takes(Visible())

    def takes(self, seen: Visible, asks: Sequence[Callable[[], Any]] = ()) -> None:
        frame = "".join(f"<span>{escape(text)}</span>" for text in seen.frame)
        self._seen, self._asks = seen, asks
        self._template = engines["django"].from_string(HEAD + "{% verbatim %}" + frame + "{% endverbatim %}" + TABLE)

    def __call__(self, request: HttpRequest) -> HttpResponse:
        for ask in self._asks:
            ask()
        said = {"rows": self._seen.rows, "words": self._seen.words}
        if self._alone:
            return HttpResponse(self._template.render({**said, "request": request}))
        return HttpResponse(self._template.render(said, request))


show, show_asked, show_alone = Show(), Show(), Show(alone=True)
