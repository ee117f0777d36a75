"""The form of an action, made from its parameters: what comes with the button is shown, the rest is asked for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django import forms

from apps.engine.contracts.action import AnyAction
from apps.engine.contracts.params import Field, fields
from apps.engine.errors import Gone
from apps.engine.text import ref, unref
from apps.operations.guard import LONGEST_REASON, SHORTEST_REASON


class RefField(forms.CharField):
    """Bytes that come with a button, as base64url: any name survives the journey."""

    widget = forms.HiddenInput

    def clean(self, value: Any) -> bytes:
        try:
            return unref(str(super().clean(value)))
        except Gone as gone:
            raise forms.ValidationError(gone.message) from gone

    def prepare_value(self, value: Any) -> Any:
        return ref(value) if isinstance(value, bytes) else value


class BytesField(forms.CharField):
    """Bytes that somebody types, as text."""

    def prepare_value(self, value: Any) -> Any:
        return value.decode("utf-8", "surrogateescape") if isinstance(value, bytes) else value

    def clean(self, value: Any) -> bytes:
        return str(super().clean(value)).encode("utf-8", "surrogatepass")


class ActionForm(forms.Form):
    """`params()` is the typed argument of the action, once the form is valid."""

    def __init__(self, action: AnyAction, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.action = action
        self.asked: list[str] = []
        for name, field in fields(action.params).items():
            self.fields[name] = _form_field(field)
            if not field.how.fixed:
                self.asked.append(name)

    def asked_fields(self) -> list[forms.BoundField]:
        """Those that a person fills in."""
        return [self[name] for name in self.asked]

    def fixed_fields(self) -> list[forms.BoundField]:
        """Those that came with the button, as hidden inputs."""
        return [self[name] for name in self.fields if name not in self.asked]

    def fixed_shown(self) -> list[tuple[str, str | bytes]]:
        """What came with the button, in words."""
        shown: list[tuple[str, str | bytes]] = []
        for bound in self.fixed_fields():
            value = self.cleaned_data.get(bound.name) if self.is_bound and self.is_valid() else bound.value()
            if value not in (None, ""):
                shown.append((str(bound.label), _plain(self.fields[bound.name], value)))
        return shown

    def fixed_values(self) -> dict[str, Any]:
        """What came with the button, before anything was asked. Errors: Gone for what is no value."""
        found: dict[str, Any] = {}
        for bound in self.fixed_fields():
            value = bound.value()
            is_ref = isinstance(self.fields[bound.name], RefField) and isinstance(value, str)
            found[bound.name] = unref(value) if is_ref else value
        return found

    def params(self) -> Any:
        """Errors: KeyError before the form was found valid."""
        return self.action.params(**{name: self.cleaned_data[name] for name in self.fields})


def _plain(field: forms.Field, value: Any) -> str | bytes:
    if isinstance(field, RefField) and isinstance(value, str):
        try:
            return unref(value)
        except Gone:
            return value
    return value if isinstance(value, bytes) else str(value)


def _form_field(field: Field) -> forms.Field:
    how = field.how
    common: dict[str, Any] = {"label": how.label, "help_text": how.help, "required": not field.optional}
    if field.default is not None:
        common["initial"] = field.default
    if how.fixed:
        return _fixed(field, common)
    if how.choices:
        made: forms.Field = forms.ChoiceField(choices=how.choices, widget=forms.Select(attrs=_attrs(field)), **common)
    elif field.kind is bool:
        made = forms.BooleanField(**{**common, "required": False})
    elif field.kind is int:
        made = forms.IntegerField(min_value=_int(how.least), max_value=_int(how.most), **common)
    elif field.kind is float:
        made = forms.FloatField(min_value=how.least, max_value=how.most, **common)
    elif field.kind is bytes:
        made = BytesField(strip=False, max_length=how.most_bytes, widget=_text_widget(field), **common)
    else:
        made = forms.CharField(
            strip=not how.secret and not how.lines, max_length=how.most_bytes, widget=_text_widget(field), **common
        )
    if field.kind in (int, float):
        made.widget.attrs.update(_attrs(field))
    return made


def _fixed(field: Field, common: Mapping[str, Any]) -> forms.Field:
    hidden = forms.HiddenInput()
    if field.kind is bytes:
        return RefField(max_length=8192, **common)
    if field.kind is int:
        return forms.IntegerField(
            min_value=_int(field.how.least), max_value=_int(field.how.most), widget=hidden, **common
        )
    if field.kind is float:
        return forms.FloatField(widget=hidden, **common)
    if field.kind is bool:
        return forms.BooleanField(widget=hidden, **{**common, "required": False})
    return forms.CharField(max_length=field.how.most_bytes, widget=hidden, **common)


def _int(bound: float | None) -> int | None:
    return None if bound is None else int(bound)


def _attrs(field: Field) -> dict[str, str]:
    kind = "form-select" if field.how.choices else "form-control"
    return {"class": f"{kind} mono" if field.how.mono else kind, "autocomplete": "off"}


def _text_widget(field: Field) -> forms.Widget:
    attrs: dict[str, Any] = {**_attrs(field), "spellcheck": "false"}
    if field.how.lines:
        return forms.Textarea(attrs={**attrs, "rows": 6})
    if field.how.secret:
        return forms.PasswordInput(attrs={**attrs, "autocomplete": "new-password"})
    return forms.TextInput(attrs=attrs)


class GivenForm(forms.Form):
    """What is typed before the button: nothing of it is lost when something is missing."""

    reason = forms.CharField(required=False, max_length=LONGEST_REASON)
    name = forms.CharField(required=False, max_length=64)
    token = forms.CharField(max_length=512)


class AnswerForm(forms.Form):
    """A second person's answer. A denial needs a comment."""

    answer = forms.ChoiceField(choices=[("agreed", "Agree"), ("denied", "Deny")])
    comment = forms.CharField(required=False, max_length=LONGEST_REASON)

    def clean(self) -> dict[str, Any] | None:
        cleaned = super().clean()
        if cleaned and cleaned.get("answer") == "denied" and len(cleaned.get("comment", "")) < SHORTEST_REASON:
            self.add_error("comment", "Say why, so that the other knows what to change.")
        return cleaned


class FreezeForm(forms.Form):
    scope = forms.ChoiceField(
        choices=[("all", "Everything"), ("environment", "An environment"), ("server", "A server")]
    )
    key = forms.CharField(required=False, max_length=64)
    hours = forms.IntegerField(required=False, min_value=1, max_value=24 * 30)
    reason = forms.CharField(min_length=SHORTEST_REASON, max_length=LONGEST_REASON)
