"""Who does something, as the audit keeps it: taken from the request once, handed on as a record."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import structlog
from allauth.account.authentication import get_authentication_records
from django.http import HttpRequest

from apps.accounts.access import operator_of, roles_at
from apps.accounts.addresses import client_address
from apps.accounts.freshness import fresh_until
from apps.accounts.models import Operator
from apps.servers.models import Server


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    """`session` is a digest of the session's key; `fresh_until` None where the sign-in is not fresh; `proofs` how it was made."""

    operator: Operator
    session: str
    address: str
    fresh_until: datetime | None
    proofs: tuple[str, ...]
    request_id: str

    @property
    def name(self) -> str:
        return self.operator.username

    @property
    def is_fresh(self) -> bool:
        return self.fresh_until is not None

    def facts(self, server: Server | None = None) -> dict[str, Any]:
        """For the audit."""
        roles = sorted(roles_at(self.operator, server.place)) if server else []
        return {
            "session": self.session[:16],
            "address": self.address,
            "proofs": list(self.proofs),
            "roles": roles,
            "request": self.request_id,
        }


def actor_of(request: HttpRequest) -> Actor:
    """Errors: Denied for an anonymous request."""
    operator = operator_of(request)
    records = get_authentication_records(request, request.user)
    return Actor(
        operator=operator,
        session=hashlib.sha256((request.session.session_key or "").encode()).hexdigest(),
        address=client_address(request),
        fresh_until=fresh_until(request),
        proofs=tuple(sorted({str(record.get("method", "")) for record in records})),
        request_id=str(structlog.contextvars.get_contextvars().get("request_id", "")),
    )
