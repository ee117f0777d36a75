"""Deploy marks: who may make them, with which token, how often, and the mark itself."""

from __future__ import annotations

import hashlib
import hmac
import math
import re
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from apps.accounts.addresses import counted_address
from apps.accounts.events import Kind, tell
from apps.history.deploy_models import DeployToken, MarkTry
from apps.history.models import Event
from apps.servers.models import Server

PREFIX = "sbmark"
WINDOW = timedelta(minutes=15)
REFUSED_PER_ADDRESS = 10
MARKS_PER_TOKEN = 60
KEPT_FOR = timedelta(days=7)
TOKEN = re.compile(rf"\A{PREFIX}_([0-9a-f]{{12}})_([A-Za-z0-9_-]{{43}})\Z")


class Refused(Exception):
    """Why a token is not made, as a sentence."""


@dataclass
class TooManyMarks(Exception):
    """The limit is met: the answer is 429 with Retry-After."""

    words: str
    retry_after_s: int


# -- tokens -------------------------------------------------------------------------------------------------------------


@transaction.atomic
def add_token(
    name: str,
    *,
    environments: Iterable[str] = (),
    servers: Iterable[str] = (),
    by: str,
    expires_at: datetime | None = None,
) -> tuple[DeployToken, str]:
    """A token and its text, which is returned this once and kept as a hash. Errors: Refused for no scope, or one that is not there."""
    wide, narrow = sorted(set(environments)), sorted(set(servers))
    _check_scope(name, wide, narrow)
    public, secret = secrets.token_hex(6), secrets.token_urlsafe(32)
    token = DeployToken.objects.create(
        name=name,
        public=public,
        digest=_digest(secret),
        environments=wide,
        servers=narrow,
        created_by=by,
        expires_at=expires_at,
    )
    _tell("deploy_token.add", token, by=by)
    return token, f"{PREFIX}_{public}_{secret}"


def _check_scope(name: str, environments: list[str], servers: list[str]) -> None:
    if not name or DeployToken.objects.in_force().filter(name=name).exists():
        raise Refused(
            f"There is a token {name} already: revoke it first, or choose another name." if name else "Name it."
        )
    if not environments and not servers:
        raise Refused("Say what it may mark: an environment, or a server.")
    if unknown := [each for each in environments if each not in settings.ENVIRONMENTS]:
        raise Refused(f"There is no environment {unknown[0]}; there are {', '.join(settings.ENVIRONMENTS)}.")
    there = set(Server.objects.filter(key__in=servers).values_list("key", flat=True))
    if missing := [each for each in servers if each not in there]:
        raise Refused(f"There is no server {missing[0]}.")


@transaction.atomic
def revoke(token: DeployToken, *, by: str) -> bool:
    """End a token now; False when it was ended before."""
    revoked = DeployToken.objects.filter(pk=token.pk, revoked_at=None).update(revoked_at=timezone.now(), revoked_by=by)
    if revoked:
        _tell("deploy_token.revoke", token, by=by)
    return bool(revoked)


def _tell(action: str, token: DeployToken, *, by: str) -> None:
    facts = {"name": token.name, "environments": token.environments, "servers": token.servers}
    tell(Kind.CHANGE, action, actor=by, facts=facts)


def find_token(text: str) -> DeployToken | None:
    """The token in force that this text is, compared in constant time. Cost: one query."""
    match = TOKEN.match(text)
    token = DeployToken.objects.in_force().filter(public=match[1]).first() if match else None
    secret = match[2] if match else ""
    same = hmac.compare_digest(_digest(secret), token.digest if token else _digest(""))
    return token if token is not None and same else None


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


# -- limits -------------------------------------------------------------------------------------------------------------


def begin_try(address: str) -> MarkTry:
    """Write a try down before its token is looked at. Cost: three queries.

    Errors: TooManyMarks for an address that was refused too often.
    """
    MarkTry.objects.filter(at__lt=timezone.now() - KEPT_FOR).delete()
    this = MarkTry.objects.create(address=counted_address(address))
    refused = MarkTry.objects.filter(address=this.address, token=None, at__gt=this.at - WINDOW)
    if refused.count() > REFUSED_PER_ADDRESS:
        this.delete()
        raise TooManyMarks("Too many tries with a token that is none.", _wait_s(refused.order_by("at").first(), this))
    return this


def pass_try(this: MarkTry, token: DeployToken) -> None:
    """The token was right: the try counts for it from now on. Errors: TooManyMarks. Cost: three queries."""
    MarkTry.objects.filter(pk=this.pk).update(token=token)
    DeployToken.objects.filter(pk=token.pk).update(used_at=this.at)
    made = MarkTry.objects.filter(token=token, at__gt=this.at - WINDOW)
    if made.count() > MARKS_PER_TOKEN:
        this.delete()
        raise TooManyMarks(
            f"{token} made {MARKS_PER_TOKEN} marks in 15 minutes.", _wait_s(made.order_by("at").first(), this)
        )


def _wait_s(oldest: MarkTry | None, this: MarkTry) -> int:
    begun_at = oldest.at if oldest else this.at
    return max(1, math.ceil((begun_at + WINDOW - timezone.now()).total_seconds()))


# -- marks --------------------------------------------------------------------------------------------------------------


def may_mark(token: DeployToken, server: Server) -> bool:
    return server.key in token.servers or server.environment in token.environments


def mark(token: DeployToken, name: str, *, server: Server | None = None, environment: str = "", url: str = "") -> Event:
    """The mark of a deploy, on one server or on all of an environment. Cost: one INSERT."""
    return Event.objects.create(
        kind="deploy", words=name, server=server, environment=server.environment if server else environment, url=url,
        at=timezone.now(), detail={"token": token.name},
    )  # fmt: skip
