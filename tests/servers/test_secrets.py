"""Passwords at rest: sealed to their row and their addresses, rotated without loss, never sent elsewhere."""

from __future__ import annotations

import base64
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from allauth.mfa.adapter import get_adapter
from allauth.mfa.models import Authenticator
from django.core.management import CommandError, call_command

from apps.accounts.models import Operator
from apps.engine.errors import SecretUnusable
from apps.engine.secretbox import kid_of
from apps.engine.target import Kind, Profile
from apps.servers.models import Credential, Server
from apps.servers.rotation import rotate

OLD = "k1:" + base64.b64encode(b"0123456789abcdef0123456789abcdef").decode()
NEW = "k2:" + base64.b64encode(b"fedcba9876543210fedcba9876543210").decode()


def server(key: str = "orders-cache", host: str = "10.0.0.1") -> Server:
    return Server.objects.create(key=key, kind=Kind.REDIS, environment="dev", addresses=[{"host": host, "port": 6379}])


def keep(owner: Server, password: str = "hunter2", **other: Any) -> Credential:
    return Credential.objects.keep(owner, Profile.MONITOR, username="signalbox", password=password, **other)


def again(row: Server) -> Server:
    return Server.objects.get(pk=row.pk)


def test_a_password_comes_back_as_it_was_given_and_is_nowhere_in_the_row(db: None) -> None:
    kept = keep(server(), "pässwörd with spaces ")
    assert again(kept.server).target().password == "pässwörd with spaces "
    assert "ssw" not in kept.secret
    assert (kept.key_id, kid_of(kept.secret)) == ("k1", "k1")
    assert "pässwörd" not in repr(again(kept.server).target())


def test_a_secret_copied_to_another_row_does_not_open(db: None) -> None:
    mine, theirs = keep(server("a")), keep(server("b", host="10.0.0.1"), "other")
    Credential.objects.filter(pk=theirs.pk).update(secret=mine.secret)
    with pytest.raises(SecretUnusable):
        again(theirs.server).target()
    assert again(mine.server).target().password == "hunter2"


@pytest.mark.parametrize(
    "change",
    [
        {"addresses": [{"host": "evil.example", "port": 6379}]},
        {"addresses": [{"host": "10.0.0.1", "port": 6380}]},
        {"addresses": [{"host": "10.0.0.1", "port": 6379}, {"host": "evil.example", "port": 6379}]},
        {"database": "7"},
    ],
    ids=["host", "port", "one more", "database"],
)
def test_a_changed_place_makes_the_password_unusable_and_says_what_to_do(db: None, change: dict[str, Any]) -> None:
    kept = keep(server())
    Server.objects.filter(pk=kept.server.pk).update(**change)
    with pytest.raises(SecretUnusable) as caught:
        again(kept.server).target()
    assert "another address" in caught.value.message
    assert "Enter the password again" in caught.value.way_out
    problem = Credential.objects.get(pk=kept.pk).problem
    assert problem and problem.kind == "secret"


def test_the_order_of_addresses_does_not_matter(db: None) -> None:
    two = [{"host": "10.0.0.1", "port": 6379}, {"host": "10.0.0.2", "port": 6379}]
    row = server()
    row.addresses = two
    row.save()
    keep(row)
    Server.objects.update(addresses=two[::-1])
    assert again(row).target().password == "hunter2"


def test_a_client_key_is_a_secret_too(db: None) -> None:
    row = server()
    row.tls = True
    row.keep_client_key("-----BEGIN PRIVATE KEY-----")
    row.save()
    tls = again(row).target().tls
    assert tls and tls.key == "-----BEGIN PRIVATE KEY-----"
    assert "PRIVATE" not in row.tls_key
    Server.objects.update(addresses=[{"host": "evil.example", "port": 1}])
    with pytest.raises(SecretUnusable):
        again(row).target()


def test_references_are_read_at_use_and_sealed_like_secrets(
    db: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    row = server()
    kept = keep(row, "env:ORDERS_PASSWORD", is_reference=True)
    with pytest.raises(SecretUnusable, match="ORDERS_PASSWORD is not set"):
        again(row).target()
    monkeypatch.setenv("ORDERS_PASSWORD", "from the environment")
    assert again(row).target().password == "from the environment"
    assert "ORDERS" not in kept.secret
    file = tmp_path / "password"
    file.write_text("from a file\n")
    keep(row, f"file:{file}", is_reference=True)
    assert again(row).target().password == "from a file"
    file.unlink()
    with pytest.raises(SecretUnusable, match="cannot be read"):
        again(row).target()


def test_a_password_that_looks_like_a_reference_is_a_password_unless_it_was_given_as_one(db: None) -> None:
    row = server()
    keep(row, "env:HOME")
    assert again(row).target().password == "env:HOME"


def test_rotation_seals_everything_with_the_newest_key(db: None, settings: Any) -> None:
    row = server()
    keep(row)
    row.tls = True
    row.keep_client_key("the key")
    row.save()
    settings.SECRETBOX_KEYS = f"{NEW},{OLD}"
    with pytest.raises(CommandError):
        call_command("rotate_secrets", "--check", stdout=StringIO(), stderr=StringIO())
    assert Credential.objects.get().key_id == "k1", "--check changes nothing"
    out = StringIO()
    call_command("rotate_secrets", stdout=out)
    assert "2 sealed again with k2" in out.getvalue()
    settings.SECRETBOX_KEYS = NEW
    target = again(row).target()
    assert target.password == "hunter2" and target.tls and target.tls.key == "the key"
    call_command("rotate_secrets", "--check", stdout=StringIO())


def test_rotation_leaves_what_it_cannot_open_and_says_which(db: None, settings: Any) -> None:
    lost, fine = keep(server("lost")), keep(server("fine"))
    Server.objects.filter(key="lost").update(addresses=[{"host": "elsewhere", "port": 1}])
    settings.SECRETBOX_KEYS = f"{NEW},{OLD}"
    done = rotate()
    assert done.rotated_count == 1
    assert [line.split(":")[0] for line in done.unusable] == ["lost monitor"]
    assert "hunter2" not in str(done)
    assert Credential.objects.get(pk=lost.pk).secret == lost.secret
    assert Credential.objects.get(pk=fine.pk).key_id == "k2"


def test_rotation_takes_the_seeds_of_second_factors_along(alice: Operator, settings: Any) -> None:
    adapter = get_adapter()
    data = {"secret": adapter.encrypt("JBSWY3DPEHPK3PXP")}
    Authenticator.objects.create(user=alice, type=Authenticator.Type.TOTP, data=data)
    settings.SECRETBOX_KEYS = f"{NEW},{OLD}"
    assert rotate().rotated_count == 1
    settings.SECRETBOX_KEYS = NEW
    assert adapter.decrypt(Authenticator.objects.get().data["secret"]) == "JBSWY3DPEHPK3PXP"
    assert rotate(only_check=True).by_key == {"k2": 1}


def test_a_key_that_is_gone_is_named(db: None, settings: Any) -> None:
    row = server()
    keep(row)
    settings.SECRETBOX_KEYS = NEW
    with pytest.raises(SecretUnusable, match="k1"):
        again(row).target()
