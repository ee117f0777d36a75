"""Private Redis servers, on every version at hand."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import redis

from apps.engine.embedded import binaries
from apps.engine.embedded.errors import EmbeddedError
from apps.engine.embedded.place import TLSFiles, free_port
from apps.engine.embedded.redis import EmbeddedRedis, quoted
from tests.real_servers import CACHE

Connect = Callable[[EmbeddedRedis], redis.Redis]
AWKWARD_PASSWORD = "a \"b\" 'c' \\ # é\tz"


@pytest.fixture(params=binaries.all_redis(CACHE), ids=lambda each: each.label)
def binary(request: pytest.FixtureRequest) -> binaries.RedisBinary:
    chosen: binaries.RedisBinary = request.param
    return chosen


@pytest.fixture
def client_of() -> Iterator[Connect]:
    clients: list[redis.Redis] = []

    def connect(server: EmbeddedRedis) -> redis.Redis:
        clients.append(redis.Redis(unix_socket_path=str(server.socket), password=server.password, socket_timeout=5))
        return clients[-1]

    yield connect
    for client in clients:
        client.close()


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def wait_until(condition: Callable[[], bool], timeout_s: float = 10.0) -> bool:
    ends_at = time.monotonic() + timeout_s
    while time.monotonic() < ends_at:
        if condition():
            return True
        time.sleep(0.05)
    return False


def test_it_answers_on_a_private_socket_and_listens_on_no_port(
    binary: binaries.RedisBinary, tmp_path: Path, client_of: Connect
) -> None:
    with EmbeddedRedis(binary, tmp_path / "server") as server:
        assert client_of(server).ping()
        assert client_of(server).config_get("port")["port"] == "0"
        assert stat.S_IMODE(server.socket.parent.stat().st_mode) == 0o700
        pid = server.pid
    assert pid is not None and not is_alive(pid)


def test_the_password_is_asked_for_and_in_no_command_line(
    binary: binaries.RedisBinary, tmp_path: Path, client_of: Connect
) -> None:
    with EmbeddedRedis(binary, tmp_path / "server", password=AWKWARD_PASSWORD) as server:
        assert client_of(server).ping()
        with pytest.raises(redis.AuthenticationError):
            redis.Redis(unix_socket_path=str(server.socket)).ping()
        assert AWKWARD_PASSWORD.encode() not in Path(f"/proc/{server.pid}/cmdline").read_bytes()
        assert stat.S_IMODE((server.folder / "redis.conf").stat().st_mode) == 0o600


def test_data_is_kept_from_start_to_start_when_asked(
    binary: binaries.RedisBinary, tmp_path: Path, client_of: Connect
) -> None:
    server = EmbeddedRedis(binary, tmp_path / "server", settings={"appendonly": "yes"})
    for expected in (None, b"1"):
        with server:
            assert client_of(server).get("seen") == expected
            client_of(server).set("seen", 1)


def test_nothing_is_kept_when_nothing_is_asked(
    binary: binaries.RedisBinary, tmp_path: Path, client_of: Connect
) -> None:
    server = EmbeddedRedis(binary, tmp_path / "server")
    for _ in range(2):
        with server:
            assert client_of(server).get("seen") is None
            client_of(server).set("seen", 1)


def test_it_starts_again_after_a_kill(binary: binaries.RedisBinary, tmp_path: Path, client_of: Connect) -> None:
    server = EmbeddedRedis(binary, tmp_path / "server").start()
    assert server.pid is not None
    os.kill(server.pid, signal.SIGKILL)
    assert wait_until(lambda: server.pid is None)
    server.stop()
    assert server.socket.exists(), "the killed server left its socket behind"
    with EmbeddedRedis(binary, tmp_path / "server") as again:
        assert client_of(again).ping()


def test_two_at_once_in_one_folder_are_refused(binary: binaries.RedisBinary, tmp_path: Path) -> None:
    with EmbeddedRedis(binary, tmp_path / "server"), pytest.raises(EmbeddedError, match="in use by another"):
        EmbeddedRedis(binary, tmp_path / "server").start()


def test_a_setting_the_server_does_not_know_is_told_with_its_own_words(
    binary: binaries.RedisBinary, tmp_path: Path
) -> None:
    server = EmbeddedRedis(binary, tmp_path / "server", settings={"no-such-setting": "1"})
    with pytest.raises(EmbeddedError, match="did not start"):
        server.start()
    assert server.pid is None


def test_a_setting_of_two_lines_is_refused(binary: binaries.RedisBinary, tmp_path: Path) -> None:
    with pytest.raises(EmbeddedError, match="one line"):
        EmbeddedRedis(binary, tmp_path / "server", settings={"save": "1 1\nrequirepass x"}).start()


def test_a_long_folder_gets_a_short_socket(binary: binaries.RedisBinary, tmp_path: Path, client_of: Connect) -> None:
    folder = tmp_path / ("deep-" * 12) / ("deeper-" * 8)
    with EmbeddedRedis(binary, folder) as server:
        assert len(os.fsencode(server.socket)) < 100
        assert stat.S_IMODE(server.socket.parent.stat().st_mode) == 0o700
        assert client_of(server).ping()


def test_it_dies_with_a_parent_that_was_killed(binary: binaries.RedisBinary, tmp_path: Path) -> None:
    program = (
        "import sys, time; from pathlib import Path\n"
        "from apps.engine.embedded import binaries; from apps.engine.embedded.redis import EmbeddedRedis\n"
        "chosen = {each.label: each for each in binaries.all_redis(Path(sys.argv[2]))}[sys.argv[3]]\n"
        "print(EmbeddedRedis(chosen, Path(sys.argv[1])).start().pid, flush=True); time.sleep(60)\n"
    )
    words = [sys.executable, "-c", program, str(tmp_path / "server"), str(CACHE), binary.label]
    with subprocess.Popen(words, stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        assert is_alive(pid)
        parent.kill()
    assert wait_until(lambda: not is_alive(pid))


def test_tls(binary: binaries.RedisBinary, tmp_path: Path, certificate: TLSFiles) -> None:
    if not binary.has_tls:
        with pytest.raises(EmbeddedError, match="has no TLS"):
            EmbeddedRedis(binary, tmp_path / "server", tls=certificate)
        return
    with EmbeddedRedis(binary, tmp_path / "server", port=free_port(), tls=certificate) as server:
        with redis.Redis(
            host="localhost", port=server.port, ssl=True, ssl_ca_certs=str(certificate.certificate)
        ) as client:
            assert client.ping()
        with redis.Redis(host="localhost", port=server.port, ssl=True) as client, pytest.raises(redis.ConnectionError):
            client.ping()


@pytest.mark.parametrize("text", ["plain", 'a"b\\c', "line\nbreak", "é", "#x y"])
def test_a_quoted_value_is_one_line_of_plain_characters(text: str) -> None:
    assert quoted(text).isascii() and "\n" not in quoted(text)
    assert quoted(text)[1:-1].encode().decode("unicode_escape").encode("latin-1").decode() == text


def test_what_a_server_lacks_is_said_in_words(binary: binaries.RedisBinary) -> None:
    assert ("no ACL DRYRUN" in binary.lacks) == (binary.version < (7, 0, 0))
