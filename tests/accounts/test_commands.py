"""The commands of the terminal: the first operators, another one, a lost password, and keys."""

from __future__ import annotations

import io
import stat
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.test import Client

from apps.accounts.models import Operator
from tests.accounts.conftest import is_signed_in, set_up_factor, sign_in


def run(*words: str) -> tuple[str, str]:
    out, err = io.StringIO(), io.StringIO()
    call_command(*words, stdout=out, stderr=err)
    return out.getvalue(), err.getvalue()


def test_the_first_operators_can_sign_in_with_what_was_printed(db: None) -> None:
    lines = [line.split() for line in run("first_operators")[0].splitlines()]
    assert [name for name, _ in lines] == ["maintainer", "viewer", "admin"]
    assert {len(password) for _, password in lines} == {20}
    assert len({password for _, password in lines}) == 3
    for name, password in lines:
        assert is_signed_in(sign_in(name, password))
        role = Operator.objects.get(username=name).assignments.get()
        assert (role.role, role.scope_kind, role.expires_at) == (name, "all", None)


def test_where_there_are_operators_nothing_is_made_and_nothing_printed(alice: Operator) -> None:
    out, err = run("first_operators")
    assert (out, err.strip()) == ("", "There are operators already: nothing was made.")
    assert Operator.objects.count() == 1


def test_an_operator_of_the_terminal_sets_the_password_with_the_printed_code(db: None) -> None:
    out, _ = run("add_operator", "grace", "--role", "admin")
    code = out.split()[-1]
    form = {"username": "grace", "code": code, "password1": "my own long password", "password2": "my own long password"}
    Client().post("/accounts/welcome/", form)
    client = sign_in("grace", "my own long password")
    assert client.get("/operators/").status_code == 200


@pytest.mark.parametrize("name", ["alice", "a b", "<b>"])
def test_a_taken_or_impossible_name_is_refused(alice: Operator, name: str) -> None:
    with pytest.raises(CommandError):
        run("add_operator", name)
    assert Operator.objects.count() == 1


def test_a_lost_password_and_factor(alice: Operator) -> None:
    set_up_factor(alice)
    code = run("reset_password", "alice", "--second-factor")[0].split()[-1]
    form = {"username": "alice", "code": code, "password1": "my own long password", "password2": "my own long password"}
    Client().post("/accounts/welcome/", form)
    assert is_signed_in(sign_in("alice", "my own long password"))
    with pytest.raises(CommandError):
        run("reset_password", "nobody")


def test_keys_are_made_once_and_for_this_user_only(tmp_path: Path, settings: Any) -> None:
    settings.KEYS = tmp_path / "keys"
    run("make_keys")
    made = {path.name: path.read_text() for path in settings.KEYS.iterdir()}
    assert {"secret_key", "secretbox", "audit"} <= set(made)
    assert stat.S_IMODE(settings.KEYS.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in settings.KEYS.iterdir()} == {0o600}
    assert "already" in run("make_keys")[0]
    assert {path.name: path.read_text() for path in settings.KEYS.iterdir()} == made
