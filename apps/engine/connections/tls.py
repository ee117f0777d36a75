"""Certificates as files for as long as a handshake needs them: both drivers read client keys only from disk."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from apps.engine.target import TLS

SYSTEM_ROOTS = Path("/etc/ssl/certs/ca-certificates.crt")


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificateFiles:
    ca: Path | None
    certificate: Path | None
    key: Path | None


@contextmanager
def certificate_files(tls: TLS) -> Iterator[CertificateFiles]:
    """The PEM texts in a folder only this user may enter; gone when the block ends."""
    with tempfile.TemporaryDirectory(prefix="signalbox-tls-") as folder:

        def written(name: str, pem: str) -> Path | None:
            if not pem:
                return None
            path = Path(folder) / name
            path.touch(mode=0o600)
            path.write_text(pem)
            return path

        yield CertificateFiles(
            ca=written("ca.pem", tls.ca) or (SYSTEM_ROOTS if SYSTEM_ROOTS.exists() else None),
            certificate=written("client.pem", tls.certificate),
            key=written("client.key", tls.key),
        )
