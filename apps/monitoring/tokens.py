"""The tokens that machines put deploy marks on the timeline with: made, shown once, revoked."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django import forms
from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.http import require_POST

from apps.accounts.access import console_page, declared, operator_of, permit, require
from apps.history import deploys
from apps.history.deploy_models import DeployToken
from apps.servers.models import Server

MANAGE = "marks.manage"
SHOWN = 100


class TokenForm(forms.Form):
    """`servers` are keys, with blanks or commas between them; `days` empty for no end."""

    name = forms.CharField(max_length=80)
    environments = forms.MultipleChoiceField(required=False)
    servers = forms.CharField(max_length=1000, required=False)
    days = forms.IntegerField(min_value=1, max_value=3650, required=False)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["environments"].choices = [(name, name) for name in settings.ENVIRONMENTS]  # type: ignore[attr-defined]

    def clean_servers(self) -> list[str]:
        return str(self.cleaned_data["servers"]).replace(",", " ").split()


@declared(MANAGE)
def tokens(request: HttpRequest) -> HttpResponse:
    """Who may mark what, and by POST one more token, whose text the answer shows this once."""
    permit(operator_of(request), MANAGE, None)
    form = TokenForm(request.POST or None)
    made, text = None, ""
    if request.method == "POST":
        require(request, MANAGE, None)
        made, text = _made(request, form)
    found = list(DeployToken.objects.all()[:SHOWN])
    context = {
        "form": TokenForm() if made else form,
        "made": made,
        "text": text,
        "in_force": [token for token in found if token.is_in_force],
        "past": [token for token in found if not token.is_in_force],
        "environments": list(settings.ENVIRONMENTS),
        "servers": list(Server.objects.values_list("key", flat=True)),
        "public_url": settings.PUBLIC_URL,
    }
    return render(request, "monitoring/tokens.html", context, status=422 if form.errors else 200)


def _made(request: HttpRequest, form: TokenForm) -> tuple[DeployToken | None, str]:
    if not form.is_valid():
        return None, ""
    asked = form.cleaned_data
    expires_at = timezone.now() + timedelta(days=asked["days"]) if asked["days"] else None
    try:
        return deploys.add_token(
            asked["name"], environments=asked["environments"], servers=asked["servers"],
            by=operator_of(request).username, expires_at=expires_at,
        )  # fmt: skip
    except deploys.Refused as refused:
        form.add_error(None, str(refused))
        return None, ""


@require_POST
@console_page(MANAGE)
def revoke(request: HttpRequest, pk: int) -> HttpResponse:
    token = get_object_or_404(DeployToken, pk=pk)
    revoked = deploys.revoke(token, by=operator_of(request).username)
    messages.info(request, f"The token {token} {'marks nothing any more' if revoked else 'was revoked before'}.")
    return redirect("monitoring:tokens")
