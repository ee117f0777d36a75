"""TLS for both drivers: certificates as files for as long as a handshake needs them, and why a handshake failed, in words.

Both drivers read client keys only from disk; so they are written into a folder of this process that is gone afterwards.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from apps.engine.errors import TLSFailed
from apps.engine.target import TLS, Address

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


# Words of OpenSSL and libpq -> what they mean here, what to do. The first match counts.
_REASONS = (
    (
        ("hostname mismatch", "ip address mismatch", "does not match host name", "not valid for"),
        "The certificate of {} is for another name.",
        "Register the server under a name its certificate holds, or give it a certificate for this name.",
    ),
    (
        ("expired",),
        "A certificate of {} has expired.",
        "Renew the certificate on the server.",
    ),
    (
        ("not yet valid",),
        "The certificate of {} is not valid yet.",
        "Compare the clocks of both machines.",
    ),
    (
        ("certificate required", "requires a valid client certificate", "peer did not return a certificate"),
        "{} demands a client certificate.",
        "Give a client certificate and its key.",
    ),
    (
        ("alert unknown ca", "alert bad certificate", "alert certificate unknown", "alert unsupported certificate"),
        "{} does not accept the client certificate.",
        "Give one that the server's CA signed.",
    ),
    (
        ("eof occurred in violation", "broken pipe"),  # it hung up while we wrote, after the handshake
        "{} ended the channel right after the handshake, as for a client certificate that is missing or not accepted.",
        "Give a client certificate that the server's CA signed.",
    ),
    (
        (
            "self-signed",
            "self signed",
            "unable to get local issuer",
            "unable to get issuer",
        ),
        "The certificate of {} is not signed by a CA that is trusted here.",
        "Give the CA that signed it.",
    ),
    (
        ("certificate verify failed",),  # all that libpq says
        "The certificate of {} is not signed by a CA that is trusted here, or has expired.",
        "Give the CA that signed it, and look at the dates of the certificate.",
    ),
    (
        ("does not support ssl", "wrong version number", "unexpected eof", "record layer failure", "http request"),
        "{} does not speak TLS on this port.",
        "Turn TLS off, or register the port that speaks TLS.",
    ),
    (
        ("unsupported protocol", "protocol version", "no protocols available", "handshake failure", "no shared cipher"),
        "{} and the console share no TLS version or cipher: 1.2 is the oldest that is taken.",
        "Allow TLS 1.2 or 1.3 on the server.",
    ),
    (
        ("key values mismatch", "private key", "pem lib", "no start line", "bad base64"),
        "The registered client certificate or its key cannot be used for {}.",
        "Give both again, as PEM; the key must belong to the certificate and carry no passphrase.",
    ),
)


def tls_failure(text: str, address: Address) -> TLSFailed:
    """The handshake's complaint in words; what is not known is passed on as it was said."""
    plain = text.lower().replace("_", " ")
    for words, message, way_out in _REASONS:
        if any(word in plain for word in words):
            return TLSFailed(message.format(address), way_out=way_out)
    return TLSFailed(
        f"The TLS handshake with {address} failed: {text.strip().rstrip('.')[:200]}.",
        way_out="Check that the server speaks TLS on this port, and that the CA and the host name fit its certificate.",
    )
