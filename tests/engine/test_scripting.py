"""Lua scripts: every file is one that each server can load, and is loaded again when a server forgot it."""

from __future__ import annotations

from pathlib import Path

import pytest

from apps.engine import redact, scripting
from apps.engine.connections.redis import redis_node
from apps.engine.errors import NotPermitted
from apps.engine.files import Script, lua_script, scripts
from tests.real_servers import RedisServer
from tests.servers.conftest import PASSWORD, redis_account, redis_target

APPS = Path(__file__).resolve().parent.parent.parent / "apps"
FOLDERS = sorted({path.parent for path in APPS.rglob("*.lua")})


@pytest.fixture
def double(tmp_path: Path) -> Script:
    (tmp_path / "double.lua").write_text("-- Doubles.\nredis.call('INCRBY', KEYS[1], ARGV[1] * 2)\nreturn 'done'\n")
    return lua_script(tmp_path, "double")


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.parent.name)
def test_every_script_is_loaded_by_every_server_under_the_name_it_is_called_by(
    folder: Path, each_redis: RedisServer
) -> None:
    for script in scripts(folder).values():
        assert each_redis.command("SCRIPT", "LOAD", script.text) == script.sha.encode()


def test_a_script_is_loaded_when_it_is_first_called_and_again_when_it_was_forgotten(
    each_redis: RedisServer, double: Script
) -> None:
    with redis_node(redis_target(each_redis)) as node:
        assert scripting.call(node, double, keys=[b"a"], arguments=[2]) == b"done"
        each_redis.command("SCRIPT", "FLUSH")
        scripting.call(node, double, keys=[b"a"], arguments=[3])
    assert each_redis.command("GET", "a") == b"10"


def test_a_command_that_the_account_may_not_run_inside_a_script_is_a_missing_right(
    each_redis: RedisServer, double: Script
) -> None:
    redis_account(each_redis, ["~*", "+evalsha", "+script|load", "+client|setname"])
    with (
        redis_node(redis_target(each_redis, username="signalbox", password=PASSWORD), fresh=True) as node,
        pytest.raises(NotPermitted, match="every command of the script"),
    ):
        scripting.call(node, double, keys=[b"a"], arguments=[2])
    assert each_redis.command("EXISTS", "a") == 0


def test_a_file_without_a_header_or_with_another_name_stops_the_start(tmp_path: Path) -> None:
    (tmp_path / "bare.lua").write_text("return 1\n")
    with pytest.raises(ValueError, match="no header"):
        scripts(tmp_path)
    named = tmp_path / "named"
    named.mkdir()
    (named / "Not-so.lua").write_text("-- A header.\nreturn 1\n")
    with pytest.raises(ValueError, match="not named like"):
        scripts(named)


def test_a_call_is_shown_with_its_keys_and_without_its_arguments(double: Script) -> None:
    command = scripting.calling(double, keys=[b"rq:job:1", b"rq:failed:mail"], arguments=[b"secret", b"words"])
    assert redact.shown(command) == f"EVALSHA {double.sha[:8]}… 2 rq:job:1 rq:failed:mail <6 bytes> <5 bytes>"
    assert redact.shape(command) == f"EVALSHA {double.sha[:8]}… …"
