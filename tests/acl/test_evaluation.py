"""What rules allow is worked out as the server does it: compared with its own dry run, command by command."""

from __future__ import annotations

import random
from typing import Any

import pytest
from redis import Redis
from redis.exceptions import NoPermissionError, ResponseError

from apps.acl import calls, evaluation, grammar
from apps.acl.evaluation import Call, Commands
from apps.acl.grammar import Rules
from apps.engine.connections.redis import redis_node
from apps.engine.errors import EngineError
from apps.engine.glob import compiled, example
from tests.real_servers import RedisServer
from tests.servers.conftest import redis_target

PATTERNS = (b"~a*", b"~k?y", b"~b", b"~[a-c]1", b"~*")
PATTERNS_SINCE_7 = (b"%R~a*", b"%W~a*", b"%RW~k?y", b"%R~*", b"%W~b")
CHANNELS = (b"&c*", b"&x", b"&*")
KEYS = (b"a1", b"key", b"b", b"c1")


def random_rules(dice: random.Random, commands: Commands) -> Rules:
    since_7 = commands.version >= (7, 0)
    names, categories = sorted(commands.names), sorted(commands.categories)
    patterns = PATTERNS + (PATTERNS_SINCE_7 if since_7 else ())

    def scope(most: int) -> tuple[bytes, ...]:
        words = dice.sample(patterns, dice.randrange(2)) + dice.sample(CHANNELS, dice.randrange(2))
        for _ in range(dice.randrange(most)):
            what = dice.choice([b"@" + dice.choice(categories), dice.choice(names), b"@all"])
            words.append(dice.choice([b"+", b"-"]) + what)
        if dice.random() < 0.3:
            words.append(b"+select|" + dice.choice([b"0", b"1"]))
        return tuple(words)

    selectors = tuple(scope(4) or (b"-@all",) for _ in range(dice.randrange(3))) if since_7 else ()
    return Rules(words=scope(6), selectors=selectors)


def some_calls(dice: random.Random, infos: dict[bytes, Any], count: int) -> list[Call]:
    names = dice.sample(sorted(infos), count)
    return [calls.call_of(name, infos[name], dice.choice(KEYS), "") for name in names if infos[name]]


def test_it_agrees_with_the_dry_run_of_the_server_on_every_command(redis_clean: RedisServer) -> None:
    """Every command of the server, under rules made by chance; a seed, so that a failure comes again."""
    if redis_clean.version < (7, 0, 0):
        pytest.skip("the dry run came with 7.0")
    dice = random.Random(4711)
    compared = 0
    with redis_node(redis_target(redis_clean)) as node:
        commands = evaluation.commands_of(node, version=(7, 0))
        told = node.command("COMMAND", "INFO", *sorted(commands.names))
        infos = dict(zip(sorted(commands.names), told, strict=True))
        for _ in range(120):
            rules = random_rules(dice, commands)
            words = grammar.setting(rules, is_on=False, passwords=(), version=(7, 0))
            node.command("ACL", "SETUSER", "tried", *words)
            tried = some_calls(dice, infos, 60)
            for call, reply in zip(
                tried, node.pipeline([("ACL", "DRYRUN", "tried", *call.argv) for call in tried]), strict=True
            ):
                if not isinstance(reply, EngineError):
                    assert evaluation.allows(rules, call, commands) == (reply == b"OK"), (rules, call, reply)
                    compared += 1
    assert compared > 5_000


# Run at once also within MULTI, or refused by a setting before anybody's rules are asked.
OTHERS = {b"exec", b"discard", b"multi", b"watch", b"quit", b"reset", b"auth", b"hello", b"module", b"debug"}


def test_it_agrees_with_an_older_server_that_queues_or_denies_each_command(each_redis: RedisServer) -> None:
    """Without a dry run: within MULTI a command is checked when it is queued, and DISCARD runs none of them."""
    dice = random.Random(42)
    version = each_redis.version[:2]
    with redis_node(redis_target(each_redis)) as node:
        commands = evaluation.commands_of(node, version=version)
        told = node.command("COMMAND", "INFO", *sorted(commands.names))
    infos = dict(zip(sorted(commands.names), told, strict=True))
    compared = 0
    for _ in range(25):
        rules = random_rules(dice, commands)
        with_multi = Rules(words=(*rules.words, b"+multi", b"+discard"), selectors=rules.selectors)
        each_redis.command(
            "ACL", "SETUSER", "tried", *grammar.setting(with_multi, is_on=True, passwords=[b"nopass"], version=version)
        )
        for call in some_calls(dice, infos, 30):
            if not told_before(call, infos[call.name], commands):
                assert evaluation.allows(with_multi, call, commands) == queued(each_redis, call), (with_multi, call)
                compared += 1
    assert compared > 500
    assert each_redis.command("DBSIZE") == 0, "nothing was run"


def told_before(call: Call, info: Any, commands: Commands) -> bool:
    """Whether the server answers before it asks for anybody's rules."""
    is_other = call.name.partition(b"|")[0] in OTHERS
    return is_other or b"no_multi" in info[2] or bool(commands.children(call.name))


def queued(server: RedisServer, call: Call) -> bool:
    """Whether the server would run it for the user `tried`; whatever else it finds wrong with it comes later."""
    client: Any = Redis(unix_socket_path=str(server.socket), username="tried", password="any", protocol=2)
    connection = client.connection_pool.get_connection()
    try:
        connection.send_command("MULTI")
        connection.read_response()
        connection.send_command(*call.argv)
        try:
            connection.read_response()
        except NoPermissionError:
            return False
        except ResponseError as error:
            return "permission" not in str(error)
        return True
    finally:
        connection.disconnect()
        client.close()


def test_the_words_of_a_change_name_commands_and_categories_of_the_node(each_redis: RedisServer) -> None:
    with redis_node(redis_target(each_redis)) as node:
        commands = evaluation.commands_of(node, version=each_redis.version[:2])
    assert commands.problem(grammar.parsed("+get -@write +config|get +@all +select|0")) == b""
    assert commands.problem(grammar.parsed("+get +nosuch")) == b"+nosuch"
    assert commands.problem(grammar.parsed("-@nosuch")) == b"-@nosuch"
    assert commands.problem(grammar.parsed("+ft.search")) == b"+ft.search"
    assert commands.problem(grammar.parsed("+ft.search"), known=[b"ft.search"]) == b""
    if each_redis.version >= (7, 0, 0):
        assert commands.problem(grammar.parsed("+config|nosuch")) == b"+config|nosuch"


@pytest.mark.parametrize(
    "pattern", [b"cart:*", b"*", b"a?c", b"[abc]d", b"[^a]", b"\\*x", b"user:[0-9]*:cart", b"\xff*", b"**", b"[x"]
)
def test_an_example_of_a_pattern_fits_it(pattern: bytes) -> None:
    assert compiled(pattern).matches(example(pattern))
