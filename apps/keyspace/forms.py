"""What a look through the keyspace is asked for: read from the address of the page, refused with a sentence."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from django import forms

from apps.engine.errors import Gone
from apps.engine.text import unref
from apps.keyspace.decoders import View
from apps.keyspace.glob import Glob, PatternRefused, compiled
from apps.keyspace.positions import Position, position
from apps.keyspace.reads.look import TYPES

Found = TypeVar("Found")

MOST_DATABASE = 65_535
MOST_PAGE = 1_000


class KeysForm(forms.Form):
    """`pattern` comes out as a Glob, `from` as a Position. Empty fields have their defaults."""

    pattern = forms.CharField(required=False, strip=False)
    type = forms.ChoiceField(required=False, choices=[("", "Any type"), *((t, t) for t in TYPES)])
    db = forms.IntegerField(required=False, min_value=0, max_value=MOST_DATABASE)
    node = forms.ChoiceField(required=False)
    layout = forms.ChoiceField(required=False, choices=[("tree", "Tree"), ("list", "List")])
    page = forms.IntegerField(required=False, min_value=1, max_value=MOST_PAGE)
    open = forms.CharField(required=False, max_length=512)

    def __init__(self, *args: Any, nodes: Sequence[str], database: int, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.default_database = database
        self.fields["from"] = forms.CharField(required=False)
        node = self.fields["node"]
        if isinstance(node, forms.ChoiceField):
            node.choices = [(text, text) for text in nodes]

    def clean_pattern(self) -> Glob:
        text: str = self.cleaned_data["pattern"] or "*"
        try:
            return compiled(text.encode("utf-8", "surrogatepass"))
        except PatternRefused as refused:
            raise forms.ValidationError(str(refused)) from refused

    def clean_from(self) -> Position:
        return _found(position, self.cleaned_data["from"])

    def clean_open(self) -> bytes:
        return _found(unref, self.cleaned_data["open"])

    def clean_db(self) -> int:
        chosen: int | None = self.cleaned_data["db"]
        return self.default_database if chosen is None else chosen


class PaneForm(forms.Form):
    """How one key is shown: which page of it, read as what, in which order, or one field only."""

    at = forms.CharField(required=False, max_length=64)
    read = forms.ChoiceField(required=False, choices=[(v.value, v.value) for v in View])
    order = forms.ChoiceField(required=False, choices=[("up", "up"), ("down", "down")])
    field = forms.CharField(required=False, strip=False, max_length=2048)
    name = forms.CharField(required=False, strip=False, max_length=2048)

    def clean_field(self) -> bytes | None:
        """A ref, as a link gives it."""
        text: str = self.cleaned_data["field"]
        return _found(unref, text) if text else None

    def clean_name(self) -> bytes | None:
        """Text, as a person types it."""
        text: str = self.cleaned_data["name"]
        return text.encode("utf-8", "surrogatepass") if text else None


def _found(reader: Callable[[str], Found], text: str) -> Found:
    try:
        return reader(text)
    except Gone as gone:
        raise forms.ValidationError(gone.message) from gone
