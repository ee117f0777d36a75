"""A message as a signed POST. The address may hold a secret in its path: only its origin is stored, shown and logged."""

from __future__ import annotations

import base64
import hashlib
import hmac
import http.client
import time
import urllib.error
import urllib.request
from typing import Any
from urllib.parse import unquote, urlsplit

import msgspec
from django.conf import settings

from apps.operations.channels.failing import NotDelivered
from apps.operations.models import Message

READ_MOST_BYTES = 64 * 1024
# Refusals that may pass: it took too long, it is too early, too many at once.
PASSING = frozenset({408, 425, 429})
LONGEST_WAIT_S = 6 * 3600


def place_of(url: str) -> str:
    """What may be seen of a webhook: where it goes, and a mark that tells two of one host apart.

    The address itself stays in the configuration, and is found again by this.
    """
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]} #{hashlib.sha256(url.encode()).hexdigest()[:6]}"


def signature(body: bytes, *, at_s: int, secret: str) -> str:
    """`t=<seconds>,v1=<hex>`: HMAC-SHA256 over `<seconds>.<body>`. A receiver refuses old times, and so a replay."""
    digest = hmac.digest(secret.encode(), f"{at_s}.".encode() + body, "sha256").hex()
    return f"t={at_s},v1={digest}"


def post(message: Message) -> None:
    """Cost: one request, NOTIFY_TIMEOUT_S a step. Errors: NotDelivered."""
    url = next((url for url in settings.NOTIFY_WEBHOOKS if place_of(url) == message.place), None)
    if url is None:
        raise NotDelivered("This webhook is not among NOTIFY_WEBHOOKS any more.", for_good=True)
    if not settings.NOTIFY_WEBHOOK_SECRET:
        raise NotDelivered("NOTIFY_WEBHOOK_SECRET is not set: nothing is sent unsigned.", for_good=True)
    status, wait_s = _answer(_request(message, url))
    if 200 <= status < 300:
        return
    if 300 <= status < 400:
        raise NotDelivered(f"It answered {status}: redirects are not followed. Write the new address.")
    raise NotDelivered(f"It answered {status}.", for_good=400 <= status < 500 and status not in PASSING, wait_s=wait_s)


def _request(message: Message, url: str) -> urllib.request.Request:
    body = msgspec.json.encode({"id": str(message.uid), "at": message.created_at.isoformat(), **message.payload})
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https"):
        raise NotDelivered("Only http and https addresses can be webhooks.", for_good=True)
    account, _, host = parts.netloc.rpartition("@")
    headers = {
        "Content-Type": "application/json",
        "User-Agent": "Signalbox",
        "Idempotency-Key": str(message.uid),
        "Signalbox-Signature": signature(body, at_s=int(time.time()), secret=settings.NOTIFY_WEBHOOK_SECRET),
    }
    if account:
        headers["Authorization"] = f"Basic {base64.b64encode(unquote(account).encode()).decode()}"
    bare = parts._replace(netloc=host).geturl()
    return urllib.request.Request(bare, data=body, headers=headers, method="POST")  # noqa: S310 - the scheme was looked at


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A redirect would carry the event, and its signature, to somebody whom nobody configured."""

    def redirect_request(self, *_: Any, **__: Any) -> None:
        return None


def _answer(request: urllib.request.Request) -> tuple[int, int]:
    """(status, seconds it asks to wait). The body is read up to a bound and dropped."""
    opener = urllib.request.build_opener(_NoRedirect)
    try:
        with opener.open(request, timeout=settings.NOTIFY_TIMEOUT_S) as answer:
            answer.read(READ_MOST_BYTES)
            return int(answer.status), 0
    except urllib.error.HTTPError as error:
        with error:
            return error.code, _wait_s(error.headers.get("Retry-After", ""))
    except urllib.error.URLError as error:
        raise NotDelivered(f"It could not be reached ({type(error.reason).__name__}).") from None
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise NotDelivered(f"It did not answer properly ({type(error).__name__}).") from None


def _wait_s(retry_after: str) -> int:
    return min(int(retry_after), LONGEST_WAIT_S) if retry_after.isdecimal() and len(retry_after) < 10 else 0
