"""The fixtures themselves: what a test changed on a shared server is gone for the next one, and bad networks are bad."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable

import psycopg
import pytest
import redis

from tests.network import HangingServer, SlowProxy
from tests.real_servers import PostgresDatabase, RedisServer


def test_an_emptied_redis_has_no_keys_no_users_and_its_first_settings(each_redis: RedisServer) -> None:
    each_redis.command("SET", b"\xff\x00key", "value")
    each_redis.command("ACL", "SETUSER", "mallory", "on", ">secret", "~*", "+@all")
    each_redis.command("CONFIG", "SET", "maxmemory", "100mb")
    each_redis.command("CONFIG", "SET", "requirepass", "secret")
    each_redis.flush()
    assert each_redis.command("DBSIZE") == 0
    assert each_redis.command("ACL", "USERS") == [b"default"]
    with redis.Redis(unix_socket_path=str(each_redis.socket)) as stranger:
        assert stranger.config_get("maxmemory")["maxmemory"] == "0"
        assert stranger.execute_command("SLOWLOG", "LEN") == 0
    with redis.Redis(port=each_redis.port) as over_tcp:
        assert over_tcp.ping()


def test_every_database_is_fresh_and_dropped(each_postgres: PostgresDatabase) -> None:
    each_postgres.sql("CREATE TABLE t AS SELECT generate_series(1, 3) AS n")
    assert each_postgres.sql("SELECT count(*) FROM t WHERE n > %s", 1) == [(2,)]
    other = each_postgres.server.create_database()
    with pytest.raises(psycopg.errors.UndefinedTable):
        each_postgres.server.sql("SELECT 1 FROM t", database=other)
    each_postgres.server.drop_database(other)
    assert not each_postgres.server.sql("SELECT 1 FROM pg_database WHERE datname = %s", other)


def test_statement_statistics_count_in_the_tests_own_database(postgres_database: PostgresDatabase) -> None:
    if not postgres_database.server.has_statement_statistics:
        pytest.skip("these binaries have no extensions")
    postgres_database.sql("SELECT 40 + 2 AS the_answer")
    assert postgres_database.sql("SELECT calls FROM pg_stat_statements WHERE query LIKE '%the_answer%'")[0] == (1,)


def test_a_hanging_server_accepts_and_says_nothing(hanging_server: HangingServer) -> None:
    with socket.create_connection((hanging_server.host, hanging_server.port), timeout=1) as line:
        line.sendall(b"PING\r\n")
        line.settimeout(0.2)
        with pytest.raises(TimeoutError):
            line.recv(1)
    assert hanging_server.accepted_count == 1


def test_a_refusing_port_refuses(refusing_port: int) -> None:
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", refusing_port), timeout=1)


def test_a_slow_proxy_delays_answers_and_can_be_cut(
    slow_proxy: Callable[..., SlowProxy], redis_clean: RedisServer
) -> None:
    proxy = slow_proxy(redis_clean.socket, 0.3)
    with redis.Redis(port=proxy.port, socket_timeout=5) as client:
        began = time.monotonic()
        assert client.ping()
        assert time.monotonic() - began >= 0.3
        proxy.delay_s = 0
        assert client.ping()
        line = client.connection_pool.get_connection()
        proxy.cut()
        with pytest.raises(redis.ConnectionError):
            line.read_response()
