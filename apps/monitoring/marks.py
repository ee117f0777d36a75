"""POST /marks/deploy: a machine that deployed puts a mark on the timeline. It answers in JSON, and says what to do when it refuses."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlsplit

from django import forms
from django.conf import settings
from django.core.exceptions import RequestDataTooBig
from django.core.validators import URLValidator
from django.http import HttpRequest, JsonResponse
from django.http.multipartparser import MultiPartParserError
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from apps.accounts.access import public
from apps.accounts.addresses import client_address
from apps.history import deploys
from apps.history.deploy_models import DeployToken
from apps.history.deploys import TooManyMarks
from apps.history.models import Event
from apps.servers.models import Server

LARGEST_BYTES = 16 * 1024
HOW = "Send `Authorization: Bearer <token>`; an admin makes tokens at /marks/tokens/ or with `manage.py deploy_token add`."


def _storable(text: str) -> None:
    """JSON can hold half a character, which no database takes."""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise forms.ValidationError("This is no text in UTF-8.") from error


def _without_password(url: str) -> None:
    if "@" in urlsplit(url).netloc:
        raise forms.ValidationError("Leave the name and the password out of the link.")


class MarkForm(forms.Form):
    """What a mark says. `url` leads to the deploy: a person may follow it, so nothing but http and https."""

    name = forms.CharField(max_length=200, validators=[_storable])
    server = forms.CharField(max_length=64, required=False, validators=[_storable])
    environment = forms.CharField(max_length=32, required=False, validators=[_storable])
    url = forms.CharField(
        max_length=400, required=False, validators=[URLValidator(schemes=["http", "https"]), _without_password]
    )

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if cleaned.get("server") and cleaned.get("environment"):
            self.add_error("environment", "Name a server or an environment, not both.")
        return cleaned


class _Refused(Exception):
    def __init__(self, status: int, words: str, **more: Any) -> None:
        super().__init__(words)
        self.answer = JsonResponse({"error": words, **more}, status=status)


@csrf_exempt  # no cookie counts here: the token does
@public
@require_POST
def mark(request: HttpRequest) -> JsonResponse:
    """201 with the mark. Errors: 401 no token that counts, 403 and 404 out of its scope, 413, 422 and 429, each with words."""
    try:
        token = _token(request)
        form = _form(request)
        made = _mark(token, form.cleaned_data)
    except _Refused as refused:
        return refused.answer
    except TooManyMarks as many:
        answer = JsonResponse({"error": f"{many.words} Try again in {many.retry_after_s} s."}, status=429)
        answer["Retry-After"] = str(many.retry_after_s)
        return answer
    return JsonResponse(_told(made), status=201)


def _token(request: HttpRequest) -> DeployToken:
    this = deploys.begin_try(client_address(request))
    scheme, _, given = request.headers.get("Authorization", "").partition(" ")
    token = deploys.find_token(given.strip()) if scheme.lower() == "bearer" else None
    if token is None:
        refused = _Refused(
            401, f"No token that counts came with this request: none, a revoked or an expired one. {HOW}"
        )
        refused.answer["WWW-Authenticate"] = "Bearer"
        raise refused
    deploys.pass_try(this, token)
    return token


def _form(request: HttpRequest) -> MarkForm:
    form = MarkForm(_fields(request))
    if not form.is_valid():
        problems = {name: [str(each) for each in errors] for name, errors in form.errors.items()}
        fields = "`name`, and maybe `server` or `environment`, and `url`"
        raise _Refused(422, f"The mark is not as it should be. Send {fields}, as a form or as JSON.", fields=problems)
    return form


def _fields(request: HttpRequest) -> dict[str, Any]:
    too_big = f"The mark is larger than {LARGEST_BYTES // 1024} KiB. Send a name and a link, not the log of the deploy."
    length = str(request.META.get("CONTENT_LENGTH") or "0")
    if not length.isdecimal() or int(length) > LARGEST_BYTES:
        raise _Refused(413, too_big)
    try:
        if request.content_type != "application/json":
            return dict(request.POST.items())
        sent = json.loads(request.body)
    except RequestDataTooBig as error:
        raise _Refused(413, too_big) from error
    except (ValueError, RecursionError, MultiPartParserError) as error:
        raise _Refused(422, "What came cannot be read: send a form, or a JSON object in UTF-8.") from error
    if not isinstance(sent, dict) or any(not isinstance(value, str | None) for value in sent.values()):
        raise _Refused(422, 'Send a JSON object of texts, such as {"name": "shop 1.4.2", "environment": "prod"}.')
    return sent


def _mark(token: DeployToken, asked: dict[str, str]) -> Event:
    """Where the token covers one place only, it need not be named."""
    server, environment = asked["server"], asked["environment"]
    if not server and not environment:
        server, environment = _only_place(token)
    if server:
        return deploys.mark(token, asked["name"], server=_server(token, server), url=asked["url"])
    _check_environment(token, environment)
    return deploys.mark(token, asked["name"], environment=environment, url=asked["url"])


def _only_place(token: DeployToken) -> tuple[str, str]:
    places: list[tuple[str, str]] = [("", each) for each in token.environments] + [(each, "") for each in token.servers]
    if len(places) != 1:
        names = ", ".join(server or environment for server, environment in places)
        raise _Refused(422, f"Say which `server` or `environment` was deployed to; this token marks {names}.")
    return places[0]


def _server(token: DeployToken, key: str) -> Server:
    """What the token does not cover does not exist for it."""
    server = Server.objects.filter(key=key).first()
    if server is None or not deploys.may_mark(token, server):
        raise _Refused(404, "There is no such server among those that this token may mark.")
    return server


def _check_environment(token: DeployToken, environment: str) -> None:
    if environment not in settings.ENVIRONMENTS:
        raise _Refused(404, f"There is no such environment. There are {', '.join(settings.ENVIRONMENTS)}.")
    if environment not in token.environments:
        raise _Refused(
            403, f"This token may not mark {environment}. An admin can make one that may, at /marks/tokens/."
        )


def _told(made: Event) -> dict[str, Any]:
    return {
        "id": made.pk,
        "name": made.words,
        "at": made.at.isoformat(),
        "server": made.server.key if made.server else None,
        "environment": made.environment,
        "url": made.url or None,
    }
