"""What of a setting may be kept."""

from __future__ import annotations

import pytest

from apps.history.settings_seen import kept

SECRETS = [
    "requirepass",
    "masterauth",
    "masteruser",
    "primaryauth",
    "tls-key-file-pass",
    "primary_conninfo",
    "archive_command",
    "shop.api_token",
    "ldap.key",
]
OPEN = [
    "maxmemory",
    "tls-auth-clients",
    "pg_stat_statements.max",
    "password_encryption",
    "superuser_reserved_connections",
    "notify-keyspace-events",
]


@pytest.mark.parametrize("name", SECRETS)
def test_a_secret_is_a_digest_that_tells_a_change(name: str) -> None:
    first, second = kept(name, b"correct horse"), kept(name, b"battery staple")
    assert first == kept(name, b"correct horse") != second
    assert "horse" not in first
    assert kept(name, b"") == "not set"


def test_the_same_secret_in_two_settings_is_not_seen_to_be_the_same() -> None:
    assert kept("requirepass", b"x") != kept("masterauth", b"x")


@pytest.mark.parametrize("name", OPEN)
def test_what_is_no_secret_stands_in_clear(name: str) -> None:
    assert kept(name, b"some value") == "some value"


def test_a_value_is_bounded_and_printable() -> None:
    assert kept("save", b"x" * 1000) == "x" * 300 + "…"
    assert kept("save", b"a\x1b[31m\xff") == "a\\x1b[31m\\xff"
