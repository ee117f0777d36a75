"""What happens here and has to be written down for good. Accounts and servers know no audit: they tell, operations hears.

Whoever tells waits for it: where the audit cannot be written, what would have happened does not.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import structlog
from django.dispatch import Signal
from django.http import HttpRequest

happened = Signal()
log = structlog.get_logger(__name__)


class Kind(enum.StrEnum):
    """A session began or ended; a try was denied; data was read unmasked; an operator or a server was changed."""

    SIGN_IN = "sign-in"
    DENIED = "denied"
    READ = "read"
    CHANGE = "change"


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """`facts` are JSON values without secrets; `request` is missing where the terminal did it."""

    kind: Kind
    action: str
    actor: str
    result: str = "done"
    server_key: str = ""
    environment: str = ""
    request: HttpRequest | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)


def tell(kind: Kind, action: str, *, actor: str, facts: Mapping[str, Any] | None = None, **more: Any) -> None:
    """Cost and errors: those of whoever hears it."""
    event = Event(kind=kind, action=action, actor=actor, facts=facts or {}, **more)
    log.info(action, kind=kind.value, actor=actor, result=event.result, server=event.server_key, **event.facts)
    happened.send(sender=Event, event=event)
