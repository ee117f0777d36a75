"""What the audit calls things that are no action on a server, in words."""

from __future__ import annotations

from collections.abc import Mapping

from apps.accounts.permissions import TABLE
from apps.engine.errors import Gone
from apps.operations.catalogue import action_for

OF_THE_CONSOLE: Mapping[str, str] = {
    "archive.drop": "Drop an archive",
    "archive.extend": "Keep an archive longer",
    "audit.export": "Export the audit",
    "deploy_token.add": "Make a token for deploy marks",
    "deploy_token.revoke": "Revoke a token for deploy marks",
    "freeze.begin": "Freeze changes",
    "freeze.lift": "Lift a freeze",
    "message.again": "Try a message again",
    "operator.code": "Make a code to set a password with",
    "operator.email": "Set where messages go",
    "operator.grant": "Grant a role",
    "operator.invite": "Invite an operator",
    "operator.lock": "Lock an operator",
    "operator.password": "Set a password with a code",
    "operator.reset_factor": "Take a second factor away",
    "operator.revoke": "Revoke a role",
    "operator.unlock": "Unlock an operator",
    "server.change": "Change a server's registration",
    "server.register": "Register a server",
    "server.remove": "Remove a server's registration",
    "session.begin": "Sign in",
    "session.end": "Sign out",
    "session.prove": "Sign in afresh",
}


def title_of(key: str) -> str:
    """An action, an act of the console or a permission by its title; by its key where this version knows it no more."""
    if key in OF_THE_CONSOLE:
        return OF_THE_CONSOLE[key]
    if key in TABLE:
        return TABLE[key].title
    try:
        return action_for(key).title
    except Gone:
        return key
