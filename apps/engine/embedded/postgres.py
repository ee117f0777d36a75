"""A private PostgreSQL: on a unix socket in a folder that only its owner can enter; TCP on loopback only when asked."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from apps.engine.connections import shell
from apps.engine.embedded import place
from apps.engine.embedded.errors import EmbeddedError
from apps.engine.embedded.place import TLSFiles
from apps.engine.embedded.programs import reachable_programs
from apps.engine.embedded.recognise import PostgresBinaries, library_environment

SUPERUSER = "postgres"
SOCKET_ONLY_PORT = 5432  # only the suffix of the socket's name: nothing listens on it
INITDB_TIMEOUT_S = 120.0
READY_TIMEOUT_S = 60.0
STOP_TIMEOUT_S = 20.0
OWN_CONFIG = "signalbox.conf"


class EmbeddedPostgres:
    """One cluster in one folder; its data stays there from start to start.

    Without a password the socket, which lies in a 0700 folder, is trusted; with one, every way in asks for it (SCRAM).
    `tcp_port=0` chooses a free port of 127.0.0.1. `durable=False` turns fsync off: for tests only.

    PostgreSQL refuses root. Started by root, it runs as an unprivileged account, and programs and data that this
    account could not reach are kept under /var/tmp (the file `elsewhere` in `folder` says where).
    Start it from a thread that stays: the server gets SIGINT when that thread, or the whole process, ends.
    """

    def __init__(
        self,
        binaries: PostgresBinaries,
        folder: Path,
        *,
        password: str | None = None,
        settings: Mapping[str, str] | None = None,
        preload: Sequence[str] = (),
        tls: TLSFiles | None = None,
        tcp_port: int | None = None,
        durable: bool = True,
    ) -> None:
        if tls is not None and not binaries.has_tls:
            raise EmbeddedError(f"{binaries.label} has no TLS.", way_out="Use a server built with TLS.")
        self.binaries = binaries
        self.password = password
        self.tls = tls
        self.account = place.unprivileged_account()
        self.folder = place.reachable_folder(folder.absolute(), self.account)
        self.data = self.folder / "data"
        self.log = self.folder / "postgres.log"
        self.tcp_port = place.free_port() if tcp_port == 0 else tcp_port
        self.port = self.tcp_port or SOCKET_ONLY_PORT
        self.socket_dir = place.socket_folder(self.folder, f".s.PGSQL.{self.port}.lock", self.account)
        self._programs = reachable_programs(binaries, self.account)
        self._settings = {"shared_preload_libraries": ",".join(preload), **(settings or {})}
        self._durable = durable
        self._lock = place.FolderLock(self.folder)
        self._process: shell.Process | None = None

    @property
    def pid(self) -> int | None:
        """The postmaster's process id while it runs."""
        return self._process.pid if self._process and self._process.code is None else None

    def start(self, *, ready_timeout_s: float = READY_TIMEOUT_S) -> EmbeddedPostgres:
        """Make the cluster when there is none, start, wait until it takes connections. Does nothing when it runs.

        Errors: EmbeddedError when the folder is in use, belongs to another major version, or the server does not start.
        """
        if self.pid is not None:
            return self
        self._lock.take()
        try:
            self._check_version()
            self._init()
            self._configure()
            self._launch(ready_timeout_s)
        except BaseException:
            self.stop()
            raise
        return self

    def stop(self) -> None:
        """SIGINT, the fast shutdown: sessions are ended, data is written. Then SIGQUIT, then SIGKILL."""
        if self._process is not None:
            self._process.send(signal.SIGINT)
            if self._process.wait(STOP_TIMEOUT_S) is None:
                self._process.stop(number=signal.SIGQUIT, timeout_s=5.0)
            self._process = None
        self._lock.drop()

    def __enter__(self) -> EmbeddedPostgres:
        return self.start()

    def __exit__(self, *exc: object) -> None:
        self.stop()

    # -- the cluster ---------------------------------------------------------------------------------------------------

    def _check_version(self) -> None:
        with contextlib.suppress(FileNotFoundError):
            kept = (self.data / "PG_VERSION").read_text().strip()
            if kept != str(self.binaries.version[0]):
                raise EmbeddedError(
                    f"The data in {self.data} belongs to PostgreSQL {kept}, the programs are {self.binaries.label}.",
                    way_out=f"Install PostgreSQL {kept}, or move that folder away to begin anew.",
                )

    def _init(self) -> None:
        """initdb into a draft that is renamed when it is whole, so that an interrupted one is never taken for a cluster."""
        if (self.data / "PG_VERSION").exists():
            return
        draft = self.folder / "data.new"
        shutil.rmtree(draft, ignore_errors=True)
        secret = self.folder / "initial-password"
        words: list[str | Path] = [
            "--username",
            SUPERUSER,
            "--encoding=UTF8",
            "--locale=C",
            f"--auth={self._method}",  # 13 keeps the password as its MD5 unless SCRAM is named here
            "--pgdata",
            draft,
        ]
        words += [] if self._durable else ["--no-sync"]
        try:
            if self.password:
                place.write_private(secret, f"{self.password}\n", self.account)
                words += ["--pwfile", secret]
            self._run_program("initdb", *words)
        except shell.ProcessFailed as error:
            raise EmbeddedError(f"The cluster could not be made: {error.message}") from error
        finally:
            secret.unlink(missing_ok=True)
        with (draft / "postgresql.conf").open("a") as config:
            config.write(f"\ninclude_if_exists = '{OWN_CONFIG}'\n")
        draft.rename(self.data)

    def _run_program(self, name: str, *words: str | Path) -> None:
        environment = library_environment(self._programs.library_dirs)
        program = self._programs.bin_dir / name
        shell.run(
            [program, *words], timeout_s=INITDB_TIMEOUT_S, env=environment, folder=self.folder, account=self.account
        )

    def _configure(self) -> None:
        settings: dict[str, str] = {
            "listen_addresses": "127.0.0.1" if self.tcp_port else "",
            "port": str(self.port),
            "unix_socket_directories": str(self.socket_dir),
            "unix_socket_permissions": "0700",
            **({} if self._durable else {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}),
            **({"jit": "off"} if "no JIT" in self.binaries.lacks else {}),
            **self._tls_settings(),
            **self._settings,
        }
        place.write_private(self.data / OWN_CONFIG, "".join(map(_setting_line, settings.items())), self.account)
        place.write_private(self.data / "pg_hba.conf", self._access_rules(), self.account)

    @property
    def _method(self) -> str:
        return "scram-sha-256" if self.password else "trust"

    def _access_rules(self) -> str:
        ways = [
            f"local {{}} all {self._method}",
            "host {} all 127.0.0.1/32 scram-sha-256",
            "host {} all ::1/128 scram-sha-256",
        ]
        return "".join(f"{way.format(what)}\n" for way in ways for what in ("all", "replication"))

    def _tls_settings(self) -> dict[str, str]:
        """The server wants files of its own account, so it gets copies."""
        if self.tls is None:
            return {}
        files = {"ssl_cert_file": self.tls.certificate, "ssl_key_file": self.tls.key, "ssl_ca_file": self.tls.ca}
        settings = {"ssl": "on"}
        for name, source in files.items():
            if source is not None:
                place.write_private(self.data / f"{name}.pem", source.read_text(), self.account)
                settings[name] = f"{name}.pem"
        return settings

    # -- the process ---------------------------------------------------------------------------------------------------

    def _launch(self, timeout_s: float) -> None:
        """Tried again while the memory of a killed server is still held by its last children."""
        ends_at = time.monotonic() + timeout_s
        self._clear_previous()
        while True:
            self._spawn()
            if self._is_ready_before(ends_at):
                return
            words = place.tail(self.log)
            if self.pid is not None or time.monotonic() > ends_at or "shared memory block" not in words:
                raise EmbeddedError(f"{self.binaries.label} did not start.\n{words}", way_out=f"See {self.log}.")
            time.sleep(0.3)

    def _clear_previous(self) -> None:
        place.end_previous(self.data / "postmaster.pid", self.data, number=signal.SIGINT)
        for stale in self.socket_dir.glob(".s.PGSQL.*"):
            stale.unlink(missing_ok=True)

    def _spawn(self) -> None:
        descriptor = os.open(self.log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
        with open(descriptor, "wb") as log:  # noqa: PTH123 - a descriptor
            self._process = shell.start(
                [self._programs.bin_dir / "postgres", "-D", self.data],
                env=library_environment(self._programs.library_dirs),
                folder=self.folder,
                account=self.account,
                stdout=log,
                stderr=shell.STDOUT,
                death_signal=signal.SIGINT,
            )

    def _is_ready_before(self, ends_at: float) -> bool:
        """The eighth line of postmaster.pid is the server's own word on its state."""
        while time.monotonic() < ends_at and self.pid is not None:
            with contextlib.suppress(OSError, IndexError):
                lines = (self.data / "postmaster.pid").read_text().splitlines()
                if int(lines[0]) == self.pid and lines[7].strip() == "ready":
                    return True
            time.sleep(0.03)
        return False


def _setting_line(setting: tuple[str, str]) -> str:
    name, value = setting
    if not re.fullmatch(r"[a-z0-9_.]+", name) or "\n" in value or "\0" in value:
        raise EmbeddedError(f"{name!r} is no setting of one line.")
    quoted = value.replace("\\", "\\\\").replace("'", "''")
    return f"{name} = '{quoted}'\n"
