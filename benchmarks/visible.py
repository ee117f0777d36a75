"""What a page says: the words of its frame, the words of its main part, and its tables' cells."""

from __future__ import annotations

from html.parser import HTMLParser

CELLS = ("td", "th", "dt", "dd")
UNSEEN = ("script", "style", "title", "dialog", "svg")


class Visible(HTMLParser):
    """Fed with a page: `rows` of cells, `words` of the main part outside of tables, `frame` for the words around it."""

    def __init__(self) -> None:
        super().__init__()
        self.rows: list[list[str]] = []
        self.words: list[str] = []
        self.frame: list[str] = []
        self._cells = self._unseen = 0
        self._main = False

    @property
    def cells_count(self) -> int:
        return sum(map(len, self.rows))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._unseen += tag in UNSEEN
        self._main |= tag == "main"
        if tag == "tr" or (tag in CELLS and not self.rows):
            self.rows.append([])
        if tag in CELLS:
            self.rows[-1].append("")
            self._cells += 1

    def handle_endtag(self, tag: str) -> None:
        self._unseen -= tag in UNSEEN and self._unseen > 0
        self._main &= tag != "main"
        self._cells -= tag in CELLS and self._cells > 0

    def handle_data(self, data: str) -> None:
        text = " ".join(data.split())
        if not text or self._unseen:
            return
        if self._cells:
            self.rows[-1][-1] += text
        else:
            (self.words if self._main else self.frame).append(text)


def visible(page: str) -> Visible:
    seen = Visible()
    seen.feed(page)
    return seen
