"""Settings of a server as texts that may be kept: secrets as a short keyed digest, so that a change shows and nothing else."""

from __future__ import annotations

import re

from django.utils.crypto import salted_hmac

from apps.engine.text import plain

MOST_SETTINGS = 500
MOST_VALUE_BYTES = 300
# Names that hold a secret, or a command or address that may hold one. One too many masked is a pity, one too few a leak.
SECRET = re.compile(
    r"pass|auth|secret|token|masteruser|primaryuser|cred|conninfo|_command|private|api_?key", re.IGNORECASE
)
HARMLESS = frozenset({"tls-auth-clients", "authentication_timeout", "password_encryption"})
# Settings with a dot may be an application's own, and then anything; these are of extensions whose settings are known.
KNOWN_EXTENSIONS = ("pg_stat_statements.", "auto_explain.", "plpgsql.", "pg_prewarm.", "pgaudit.", "cron.")


def kept(name: str, value: bytes) -> str:
    """`allkeys-lru`; of what may be a secret `set, 3f9a01c2` or `not set`."""
    if not _may_be_secret(name):
        return plain(value, most=MOST_VALUE_BYTES)
    return f"set, {_digest(name, value)}" if value else "not set"


def _may_be_secret(name: str) -> bool:
    if name in HARMLESS:
        return False
    return bool(SECRET.search(name)) or ("." in name and not name.startswith(KNOWN_EXTENSIONS))


def _digest(name: str, value: bytes) -> str:
    return salted_hmac("apps.history.settings_seen", name.encode() + b"\0" + value, algorithm="sha256").hexdigest()[:8]
