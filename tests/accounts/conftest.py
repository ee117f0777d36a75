"""Sign-ins as a browser does them, codes as an app computes them, and a server of each environment."""

from __future__ import annotations

import base64
import hashlib
import hmac
import struct
import time
from collections.abc import Callable

import pytest
from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.totp.internal.auth import TOTP
from django.contrib.sessions.backends.base import SessionBase
from django.http import HttpResponse
from django.test import Client

from apps.accounts.models import Operator
from apps.servers.models import Server
from tests.conftest import PASSWORD

SEED = base64.b32encode(b"twenty bytes of seed").decode()
PERIOD_S = 30
SLACK_S = 3


def code_of(seed: str) -> str:
    """RFC 6238, written once more: what an app on a phone shows now, with a few seconds left to send it."""
    left_s = PERIOD_S - time.time() % PERIOD_S
    if left_s < SLACK_S:
        time.sleep(left_s)
    digest = hmac.digest(base64.b32decode(seed), struct.pack(">Q", int(time.time()) // PERIOD_S), hashlib.sha1)
    start = digest[-1] & 15
    return f"{(int.from_bytes(digest[start : start + 4], 'big') & 0x7FFFFFFF) % 10**6:06}"


def set_up_factor(operator: Operator) -> Authenticator:
    RecoveryCodes.activate(operator)
    factor: Authenticator = TOTP.activate(operator, SEED).instance
    return factor


class Visitor(Client):
    """A browser that remembers the answer to its sign-in."""

    last: HttpResponse

    @property
    def key(self) -> str:
        return str(self.session.session_key)

    def steal(self, key: str) -> Visitor:
        """Use a session key that was learnt elsewhere."""
        self.cookies["signalbox-session"] = key
        return self


def sign_in(
    name: str, password: str = PASSWORD, *, client: Visitor | None = None, address: str = "198.51.100.7"
) -> Visitor:
    client = client or Visitor()
    form = {"login": name, "password": password}
    client.last = client.post("/accounts/login/", form, REMOTE_ADDR=address)  # type: ignore[assignment]
    return client


def is_signed_in(client: Client) -> bool:
    return client.get("/operators/me/").status_code == 200


def make_fresh(client: Client, *, ago_s: float = 0) -> None:
    """As if the password had been proved `ago_s` seconds ago."""
    session: SessionBase = client.session
    session["account_authentication_methods"] = [{"method": "password", "at": time.time() - ago_s}]
    session["account_authentication_methods_user"] = session["_auth_user_id"]
    session.save()


@pytest.fixture
def fresh(as_operator: Callable[[Operator], Client]) -> Callable[[Operator], Client]:
    def signed_in(operator: Operator) -> Client:
        client = as_operator(operator)
        make_fresh(client)
        return client

    return signed_in


@pytest.fixture
def shop_dev(db: None) -> Server:
    return _server("shop-dev", "dev")


@pytest.fixture
def shop_prod(db: None) -> Server:
    return _server("shop-prod", "prod", tags=["shop"])


def _server(key: str, environment: str, **fields: object) -> Server:
    """Nothing listens there: pages about it answer with a failing panel."""
    address = {"host": "127.0.0.1", "port": 1}
    return Server.objects.create(
        key=key, kind="redis", environment=environment, addresses=[address], connect_timeout_s=0.2, **fields
    )
