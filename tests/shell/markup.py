"""What a strict content policy forbids in markup, found by a parser rather than by eye."""

from __future__ import annotations

from html.parser import HTMLParser


class Forbidden(HTMLParser):
    """Collects inline styles, inline scripts, handlers and javascript: addresses."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = {name for name, _ in attrs}
        if tag == "style" or (tag == "script" and "src" not in names):
            self.found.append(f"<{tag}> inline")
        for name, value in attrs:
            if name == "style" or name.startswith(("on", "hx-on")):
                self.found.append(f"<{tag} {name}=>")
            if (value or "").strip().lower().startswith("javascript:"):
                self.found.append(f"<{tag} {name}=javascript:>")


def forbidden(html: str) -> list[str]:
    parser = Forbidden()
    parser.feed(html)
    return parser.found
