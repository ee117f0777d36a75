"""A private Redis or Valkey: on a unix socket that only its owner can open, with or without a TCP port on loopback."""

from __future__ import annotations

import contextlib
import re
import signal
import socket
import time
from collections.abc import Mapping
from pathlib import Path

from apps.engine.connections import shell
from apps.engine.embedded import place
from apps.engine.embedded.errors import EmbeddedError
from apps.engine.embedded.place import TLSFiles
from apps.engine.embedded.recognise import RedisBinary, library_environment

READY_TIMEOUT_S = 30.0
STOP_TIMEOUT_S = 15.0
SOCKET_NAME = "redis.sock"


class EmbeddedRedis:
    """One server in one folder. Nothing is kept unless `settings` ask for it: {"appendonly": "yes"} or {"save": "60 1"}.

    Start it from a thread that stays: the server gets SIGTERM when that thread, or the whole process, ends.
    """

    def __init__(
        self,
        binary: RedisBinary,
        folder: Path,
        *,
        port: int | None = None,
        password: str | None = None,
        settings: Mapping[str, str] | None = None,
        tls: TLSFiles | None = None,
    ) -> None:
        if tls is not None and not binary.has_tls:
            raise EmbeddedError(f"{binary.label} has no TLS.", way_out="Use a server built with TLS.")
        self.binary = binary
        self.folder = place.private_folder(folder.absolute())
        self.port = port or 0
        self.password = password
        self.tls = tls
        self._settings = dict(settings or {})
        self._lock = place.FolderLock(self.folder)
        self._process: shell.Process | None = None
        self.socket: Path = place.socket_folder(self.folder, SOCKET_NAME) / SOCKET_NAME

    @property
    def pid(self) -> int | None:
        """The process id while it runs."""
        return self._process.pid if self._process and self._process.code is None else None

    @property
    def log(self) -> Path:
        return self.folder / "redis.log"

    @property
    def _config(self) -> Path:
        return self.folder / "redis.conf"

    @property
    def _pid_file(self) -> Path:
        return self.folder / "redis.pid"

    def start(self, *, ready_timeout_s: float = READY_TIMEOUT_S) -> EmbeddedRedis:
        """Start and wait until it answers, its data loaded. Does nothing when it runs.

        Errors: EmbeddedError when the folder is in use, or when the server ends or does not answer in time (its last
        log lines are in the message).
        """
        if self.pid is not None:
            return self
        self._lock.take()
        try:
            self._launch()
            self._await_ready(ready_timeout_s)
        except BaseException:
            self.stop()
            raise
        return self

    def stop(self) -> None:
        """SIGTERM, which saves when save points are set, then SIGKILL. Quietly nothing when it does not run."""
        if self._process is not None:
            self._process.stop(number=signal.SIGTERM, timeout_s=STOP_TIMEOUT_S)
            self._process = None
        self._lock.drop()

    def __enter__(self) -> EmbeddedRedis:
        return self.start()

    def __exit__(self, *exc: object) -> None:
        self.stop()

    def _launch(self) -> None:
        place.end_previous(self._pid_file, self.folder)
        self.socket.unlink(missing_ok=True)
        with contextlib.suppress(FileNotFoundError):
            self.log.replace(self.log.with_suffix(".log.1"))
        place.write_private(self._config, "".join(f"{line}\n" for line in self._lines()))
        self._process = shell.start(
            [self.binary.server, self._config],
            env=library_environment(self.binary.library_dirs),
            folder=self.folder,
            name=f"{self.binary.flavour}-server",
        )

    def _lines(self) -> list[str]:
        plain: dict[str, str] = {
            "port": str(0 if self.tls else self.port),
            "bind": "127.0.0.1",
            "unixsocket": quoted(str(self.socket)),
            "unixsocketperm": "700",
            "dir": quoted(str(self.folder)),
            "pidfile": quoted(str(self._pid_file)),
            "logfile": quoted(str(self.log)),
            "daemonize": "no",
            "save": '""',
            "appendonly": "no",
        }
        lines = [
            f"{name} {value}" for name, value in {**plain, **self._tls_settings(), **self._checked_settings()}.items()
        ]
        return [*lines, f"requirepass {quoted(self.password)}"] if self.password else lines

    def _tls_settings(self) -> dict[str, str]:
        if self.tls is None:
            return {}
        files = {"tls-cert-file": self.tls.certificate, "tls-key-file": self.tls.key}
        files["tls-ca-cert-file"] = self.tls.ca or self.tls.certificate
        settings = {name: quoted(str(path)) for name, path in files.items()}
        return {"tls-port": str(self.port), "tls-auth-clients": "optional", **settings}

    def _checked_settings(self) -> dict[str, str]:
        for name, value in self._settings.items():
            if not re.fullmatch(r"[a-z0-9-]+", name) or "\n" in value or "\r" in value:
                raise EmbeddedError(f"{name!r} is no setting of one line.")
        return {name: value or '""' for name, value in self._settings.items()}

    def _await_ready(self, timeout_s: float) -> None:
        ends_at = time.monotonic() + timeout_s
        while time.monotonic() < ends_at:
            if self.pid is None:
                raise EmbeddedError(
                    f"{self.binary.label} did not start.\n{place.tail(self.log)}", way_out=f"See {self.log}."
                )
            if self._answers():
                return
            time.sleep(0.02)
        raise EmbeddedError(f"{self.binary.label} was not ready within {timeout_s:g} s.", way_out=f"See {self.log}.")

    def _answers(self) -> bool:
        """AUTH and PING by hand: this module may not import the driver. A server that loads its data says -LOADING."""
        words = [["AUTH", self.password]] if self.password else []
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as line:
            line.settimeout(1.0)
            line.connect(str(self.socket))
            line.sendall(b"".join(_command(*each) for each in [*words, ["PING"], ["QUIT"]]))
            answer = b""
            while chunk := line.recv(4096):
                answer += chunk
            return b"+PONG" in answer
        return False


def quoted(text: str) -> str:
    """A value of redis.conf in double quotes, every byte that could mean something written as an escape."""
    plain = re.compile(rb"[A-Za-z0-9_./@:-]")
    encoded = (text[i : i + 1].encode("utf-8", "surrogateescape") for i in range(len(text)))
    return '"' + "".join(c.decode() if plain.fullmatch(c) else "".join(f"\\x{b:02x}" for b in c) for c in encoded) + '"'


def _command(*words: str) -> bytes:
    parts = [word.encode() for word in words]
    return b"*%d\r\n" % len(parts) + b"".join(b"$%d\r\n%b\r\n" % (len(part), part) for part in parts)
