"""Servers from a file and from the command line: the same checks as by form, again and again without harm."""

from __future__ import annotations

import sys
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command

from apps.engine.target import Profile
from apps.servers.declaration import load
from apps.servers.models import Credential, Server
from apps.servers.permissions_page import permissions_page
from apps.servers.tasks import probe_all
from tests.real_servers import RedisServer
from tests.servers.certificates import Authority
from tests.servers.conftest import PASSWORD, redis_account

TABLE = """
[servers.orders-cache]
kind = "redis"
environment = "prod"
addresses = ["10.20.4.7:6379", "10.20.4.8:6379"]
roles = ["cache"]
tags = ["shop", "eu"]
rpo_minutes = 60

[servers.orders-cache.monitor]
username = "signalbox"
password = "env:ORDERS_PASSWORD"

[servers.orders-db]
kind = "postgres"
environment = "dev"
addresses = ["db.internal"]
database = "orders"

[servers.orders-db.monitor]
username = "signalbox"
"""


@pytest.fixture
def file(tmp_path: Path, db: None) -> Path:
    path = tmp_path / "servers.toml"
    path.write_text(TABLE)
    return path


def test_a_file_is_loaded_and_loading_it_again_changes_nothing(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = load(file)
    assert (first.added, first.changed, dict(first.refused)) == (("orders-cache", "orders-db"), (), {})
    cache = Server.objects.get(key="orders-cache")
    assert (cache.declared, cache.environment, cache.tags, cache.rpo_s) == (True, "prod", ["shop", "eu"], 3600)
    assert [str(a) for a in cache.address_list()] == ["10.20.4.7:6379", "10.20.4.8:6379"]
    monkeypatch.setenv("ORDERS_PASSWORD", "hunter2")
    assert cache.target().password == "hunter2"
    assert str(Server.objects.get(key="orders-db").target().address) == "db.internal:5432"
    rows = list(Server.objects.values()), list(Credential.objects.values())
    second = load(file)
    assert (second.added, second.changed, second.unchanged) == ((), (), ("orders-cache", "orders-db"))
    assert (list(Server.objects.values()), list(Credential.objects.values())) == rows


def test_a_changed_table_changes_its_server(file: Path) -> None:
    load(file)
    file.write_text(TABLE.replace("10.20.4.8:6379", "10.20.4.9:6379").replace("env:ORDERS", "env:CACHE"))
    assert load(file).changed == ("orders-cache",)
    credential = Credential.objects.get(server__key="orders-cache")
    assert credential.kept_reference() == "env:CACHE_PASSWORD"


def test_what_is_taken_out_stays_registered_and_says_so(file: Path) -> None:
    load(file)
    file.write_text(TABLE.split("[servers.orders-db]")[0])
    out = StringIO()
    call_command("load_servers", str(file), stdout=out)
    assert "orders-db: no longer declared" in out.getvalue()
    assert Server.objects.get(key="orders-db").declared is False


def test_the_file_takes_over_a_server_of_the_same_name(file: Path) -> None:
    Server.objects.create(
        key="orders-db",
        kind="postgres",
        environment="dev",
        addresses=[{"host": "old", "port": 5432}],
        created_by="alice",
    )
    assert load(file).changed == ("orders-db",)
    row = Server.objects.get(key="orders-db")
    assert (row.declared, row.addresses[0]["host"], row.created_by) == (True, "db.internal", "alice")


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('password = "env:ORDERS_PASSWORD"', 'password = "hunter2"', "where it is kept, not the secret"),
        ('"10.20.4.7:6379", ', '"redis://10.20.4.7", ', "Not a URL"),
        ('environment = "prod"', 'environment = "moon"', "environment"),
        ("rpo_minutes = 60", "rpo = 60", "rpo: no such field"),
        ('roles = ["cache"]', 'roles = ["toaster"]', "toaster"),
        ("rpo_minutes = 60", 'tls_ca_file = "missing.pem"', "cannot be read"),
    ],
)
def test_one_wrong_server_is_refused_and_the_others_are_loaded(file: Path, old: str, new: str, words: str) -> None:
    assert old in TABLE
    file.write_text(TABLE.replace(old, new))
    errors = StringIO()
    with pytest.raises(CommandError, match="1 of the declared"):
        call_command("load_servers", str(file), stdout=StringIO(), stderr=errors)
    assert words in errors.getvalue()
    assert "hunter2" not in errors.getvalue()
    assert [s.key for s in Server.objects.all()] == ["orders-db"]


def test_certificates_are_read_from_files_beside_it(file: Path) -> None:
    ca = Authority("shop").pem
    (file.parent / "ca.pem").write_text(ca)
    file.write_text(TABLE.replace("rpo_minutes = 60", 'tls = "own"\ntls_ca_file = "ca.pem"'))
    load(file)
    tls = Server.objects.get(key="orders-cache")
    assert (tls.tls, tls.tls_ca) == (True, ca)
    assert load(file).unchanged == ("orders-cache", "orders-db")


@pytest.mark.parametrize("text", ["[servers", "[other.x]\na = 1", "servers = 3"])
def test_a_file_of_another_shape_is_an_error(file: Path, text: str) -> None:
    file.write_text(text)
    with pytest.raises(CommandError):
        call_command("load_servers", str(file))


def test_no_file_is_no_error_unless_it_was_named(db: None, settings: Any, tmp_path: Path) -> None:
    settings.SERVERS_FILE = tmp_path / "none.toml"
    call_command("load_servers", stdout=StringIO())
    with pytest.raises(CommandError, match="cannot be read"):
        call_command("load_servers", str(tmp_path / "none.toml"))


def test_the_example_is_a_file_that_loads(db: None, tmp_path: Path) -> None:
    example = tmp_path / "servers.toml"
    example.write_text((settings.BASE_DIR / "servers.toml.example").read_text())
    (tmp_path / "certificates").mkdir()
    (tmp_path / "certificates" / "shop-ca.pem").write_text(Authority("shop").pem)
    loaded = load(example)
    assert (loaded.added, dict(loaded.refused)) == (("orders-cache", "orders-db"), {})


def test_a_server_is_added_by_command(db: None, redis_clean: RedisServer, monkeypatch: pytest.MonkeyPatch) -> None:
    redis_account(redis_clean, ["~*", "+@all"])
    monkeypatch.setenv("CACHE_PASSWORD", PASSWORD)
    address = f"127.0.0.1:{redis_clean.port}"
    words = ["--kind", "redis", "--environment", "dev", "--address", address, "--user", "signalbox", "--role", "cache"]
    out = StringIO()
    call_command("add_server", "orders-cache", *words, "--password", "env:CACHE_PASSWORD", "--try", stdout=out)
    assert "Redis" in out.getvalue() and "registered" in out.getvalue()
    row = Server.objects.get()
    assert (row.roles, row.declared, row.target().password) == (["cache"], False, PASSWORD)


def test_a_password_comes_from_standard_input_and_is_kept_here(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", StringIO("hunter2 \n"))
    words = ["--kind", "postgres", "--environment", "dev", "--address", "db", "--user", "u", "--password", "-"]
    call_command("add_server", "orders-db", *words, stdout=StringIO())
    assert Server.objects.get().target().password == "hunter2 "
    assert Credential.objects.get().is_reference is False


def test_a_password_on_the_command_line_is_refused(db: None) -> None:
    words = ["--kind", "redis", "--environment", "dev", "--address", "c:1", "--password", "hunter2"]
    with pytest.raises(CommandError, match="env:NAME") as caught:
        call_command("add_server", "c", *words)
    assert "hunter2" not in str(caught.value)
    assert not Server.objects.exists()


def test_a_try_that_fails_registers_nothing(db: None, refusing_port: int) -> None:
    words = ["--kind", "redis", "--environment", "dev", "--address", f"127.0.0.1:{refusing_port}", "--try"]
    with pytest.raises(CommandError, match="refused"):
        call_command("add_server", "c", *words)
    assert not Server.objects.exists()


def test_every_account_of_every_server_is_probed_once_a_day(cache: Server, refusing_port: int) -> None:
    Credential.objects.keep(cache, Profile.OPERATE, username="signalbox", password=PASSWORD)
    Server.objects.create(
        key="dead", kind="redis", environment="dev", addresses=[{"host": "127.0.0.1", "port": refusing_port}]
    )
    probe_all()
    found = Server.objects.get(key="orders-cache")
    assert set(found.capabilities) == {"monitor", "operate", "admin", "backup"}
    change = found.capability("keyspace.change", Profile.OPERATE)
    assert change and change.ok
    assert found.capability("keyspace.change") is None and found.capability("nothing.known") is None
    assert Server.objects.get(key="dead").probed_at is None


def test_the_page_of_permissions_is_current() -> None:
    path = settings.BASE_DIR / "docs" / "permissions.md"
    assert path.read_text() == permissions_page(), "run manage.py permissions_doc"
    call_command("permissions_doc", "--check")
