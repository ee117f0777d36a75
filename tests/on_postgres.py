"""Run tests with the console's own data on PostgreSQL instead of SQLite.

    python -m tests.on_postgres tests/accounts tests/history ...

Starts a private server, points DATABASE_URL at it, hands the rest to pytest, and takes the server down again.
"""

from __future__ import annotations

import os
import secrets
import sys
import tempfile
from pathlib import Path

import pytest

from apps.engine.embedded.binaries import find_postgres
from apps.engine.embedded.postgres import EmbeddedPostgres

CACHE = Path(__file__).resolve().parent.parent / ".work" / "binaries"


def main(arguments: list[str]) -> int:
    with tempfile.TemporaryDirectory(prefix="sb-console-") as folder:
        Path(folder).chmod(0o711)  # an unprivileged PostgreSQL passes through
        password = secrets.token_urlsafe(12)
        server = EmbeddedPostgres(
            find_postgres(CACHE), Path(folder) / "server", password=password, tcp_port=0, durable=False
        )
        with server:
            os.environ["DATABASE_URL"] = f"postgres://postgres:{password}@127.0.0.1:{server.port}/postgres"
            return int(pytest.main(arguments))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
