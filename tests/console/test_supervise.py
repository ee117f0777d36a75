"""The one command: what it refuses and how it says so, that it serves, keeps its data, and leaves no process behind."""

from __future__ import annotations

import http.client
import os
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from apps.engine.embedded.place import free_port
from apps.engine.keys import make_keys
from console.supervise import checks
from console.supervise.broker import socket_url
from console.supervise.child import Child
from console.supervise.parts import Part
from console.supervise.plan import PROJECT, CannotStart, StartPlan, read_plan

START_TIMEOUT_S = 90.0


def plan_for(data: Path, **changes: object) -> StartPlan:
    known = {
        "host": "localhost",
        "port": 8000,
        "demo": False,
        "broker_url": "",
        "certificate": "",
        "certificate_key": "",
    }
    return StartPlan(data=data, **{**known, **changes})  # type: ignore[arg-type]


def wait_for(condition: Callable[[], object], timeout_s: float = 15.0) -> bool:
    ends_at = time.monotonic() + timeout_s
    while time.monotonic() < ends_at:
        if condition():
            return True
        time.sleep(0.1)
    return False


def processes_of(data: Path) -> list[str]:
    """Every live process that knows this data folder by its environment or its folder."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            is_live = (process / "stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
            knows = os.fsencode(data) in (process / "environ").read_bytes() or (
                process / "cwd"
            ).readlink().is_relative_to(data)
        except OSError:
            continue
        if is_live and knows:
            found.append(f"{process.name} {(process / 'cmdline').read_bytes()!r}")
    return found


class Console:
    """`python -m console.supervise` on a folder of its own, its output in a file."""

    def __init__(self, folder: Path) -> None:
        self.data, self._output = folder / "data", folder / "output"
        self.port = free_port()
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> subprocess.Popen[bytes]:
        dropped = {"DJANGO_SETTINGS_MODULE", "SECRET_KEY", "SECRETBOX_KEYS"}
        inherited = {name: value for name, value in os.environ.items() if name not in dropped}
        ours = {"SIGNALBOX_DATA": str(self.data), "PORT": str(self.port), "DEMO": "0"}
        with self._output.open("wb") as output:
            words = [sys.executable, "-m", "console.supervise"]
            self._process = subprocess.Popen(
                words, cwd=PROJECT, env={**inherited, **ours}, stdout=output, stderr=output
            )
        return self._process

    @property
    def output(self) -> str:
        return self._output.read_text()

    def start_and_wait(self) -> subprocess.Popen[bytes]:
        process = self.start()
        assert wait_for(lambda: "Ready: " in self.output or process.poll() is not None, START_TIMEOUT_S), self.output
        assert process.poll() is None, self.output
        return process

    def status(self, path: str) -> int:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        connection.request("GET", path)
        return connection.getresponse().status

    def end(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()
            self._process.wait(60)


@pytest.fixture
def console(tmp_path: Path) -> Iterator[Console]:
    made = Console(tmp_path)
    yield made
    made.end()


def test_a_taken_port_is_refused_with_who_holds_it_and_what_to_write(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(CannotStart) as caught:
        checks.check_port(plan_for(tmp_path, port=taken.getsockname()[1]))
    assert f"pid {os.getpid()}" in str(caught.value)
    suggested = int(str(caught.value).split("PORT=")[1].split()[0])
    checks.check_port(plan_for(tmp_path, port=suggested))


def test_a_full_disk_is_refused(tmp_path: Path) -> None:
    checks.check_disk(tmp_path, free_bytes=400 * 2**20)
    with pytest.raises(CannotStart, match="Only 100 MB are free"):
        checks.check_disk(tmp_path, free_bytes=100 * 2**20)


def test_an_old_python_is_refused() -> None:
    checks.check_python((3, 11))
    with pytest.raises(CannotStart, match=r"3\.10 is too old"):
        checks.check_python((3, 10))


def test_a_data_folder_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(CannotStart, match="SIGNALBOX_DATA="):
        checks.prepare_data_folder(tmp_path / "file" / "data")


def test_plain_http_is_for_loopback_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOST", "0.0.0.0")
    with pytest.raises(CannotStart, match="INSECURE_HTTP=1"):
        read_plan()
    monkeypatch.setenv("INSECURE_HTTP", "1")
    assert read_plan().environment().get("ALLOW_LOOPBACK_TARGETS") == os.environ.get("ALLOW_LOOPBACK_TARGETS")
    monkeypatch.delenv("INSECURE_HTTP")
    monkeypatch.setenv("TLS_CERT", "cert.pem")
    with pytest.raises(CannotStart, match="both files"):
        read_plan()
    monkeypatch.setenv("TLS_KEY", "key.pem")
    assert read_plan().url.startswith("https://")


@pytest.mark.parametrize("port", ["0", "65536"])
def test_a_port_that_is_none_is_refused(monkeypatch: pytest.MonkeyPatch, port: str) -> None:
    monkeypatch.setenv("PORT", port)
    with pytest.raises(CannotStart, match="is no port"):
        read_plan()


def test_keys_are_made_once_and_for_nobody_else(tmp_path: Path) -> None:
    made = make_keys(tmp_path / "keys")
    assert set(made) == {"secret_key", "secretbox", "audit", "archive", "backup", "broker_password"}
    before = {name: (tmp_path / "keys" / name).read_text() for name in made}
    assert all(stat.S_IMODE((tmp_path / "keys" / name).stat().st_mode) == 0o600 for name in made)
    assert len(set(before.values())) == len(before)
    (tmp_path / "keys" / "audit").unlink()
    assert make_keys(tmp_path / "keys") == ["audit"]
    assert (tmp_path / "keys" / "secretbox").read_text() == before["secretbox"]


def test_the_address_of_the_broker_survives_any_password(tmp_path: Path) -> None:
    assert socket_url(Path("/run/a.sock"), "p/w?#@") == "redis+socket://:p%2Fw%3F%23%40@/run/a.sock"


def test_a_part_that_crashes_is_started_again_and_given_up_after_five_times(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "logs").mkdir()
    words = (sys.executable, "-c", "print('no such table'); raise SystemExit(7)")
    child = Child(Part(name="beat", words=words), plan_for(tmp_path))
    child.start()
    ends_at = time.monotonic() + 40
    while not child.gave_up and time.monotonic() < ends_at:
        child.watch()
        time.sleep(0.02)
    said = capsys.readouterr().out
    assert child.gave_up and child.pid is None
    assert said.count("it is started again") == 4
    assert "ended with code 7, 5 times within 60 s" in said
    assert (tmp_path / "logs" / "beat.log").read_text().count("no such table") == 5


def test_a_part_cannot_repaint_the_terminal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "logs").mkdir()
    child = Child(Part(name="web", words=(sys.executable, "-c", r"print('\x1b[2Jgone')")), plan_for(tmp_path))
    child.start()
    assert wait_for((tmp_path / "logs" / "web.log").exists)
    child.stop()
    assert "\x1b" not in capsys.readouterr().out


@pytest.mark.slow
def test_it_serves_keeps_its_data_and_leaves_no_process(console: Console) -> None:
    first = console.start_and_wait()
    assert console.status("/livez") == 200
    assert len(processes_of(console.data)) >= 7, "web, two workers, beat, the notifier, the broker, the supervisor"
    assert wait_for(lambda: any("notifier" in process for process in processes_of(console.data))), console.output
    assert stat.S_IMODE(console.data.stat().st_mode) == 0o700
    key = (console.data / "keys" / "secret_key").read_text()
    first.send_signal(signal.SIGINT)
    assert first.wait(60) == 0, console.output
    assert processes_of(console.data) == []
    assert key.strip() not in console.output

    second = console.start_and_wait()
    assert (console.data / "keys" / "secret_key").read_text() == key
    assert "sign in as before" in console.output
    second.terminate()
    assert second.wait(60) == 0, console.output
    assert processes_of(console.data) == []


@pytest.mark.slow
def test_a_second_start_at_once_is_refused(console: Console, tmp_path: Path) -> None:
    console.start_and_wait()
    (tmp_path / "second").mkdir()
    second = Console(tmp_path / "second")
    second.data = console.data
    assert second.start().wait(30) == 1
    assert "in use by another running console" in second.output
    assert console.status("/livez") == 200


@pytest.mark.slow
def test_a_killed_supervisor_takes_everything_with_it_and_can_be_started_again(console: Console) -> None:
    process = console.start_and_wait()
    process.kill()
    process.wait()
    assert wait_for(lambda: not processes_of(console.data), 30), processes_of(console.data)
    console.start_and_wait()
