"""The end of the audit's chain, written down outside of the database: what no chain can prove of itself.

A tail that was cut off and a chain written anew by somebody who holds the key are found by these alone. They are worth as much as
the place they are written to is out of reach for whoever can change the database.
"""

from __future__ import annotations

import hmac
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import structlog
from django.conf import settings

from apps.operations.audit import key_ids, mac_of, newest_key_id
from apps.operations.models import Anchor, AuditEntry

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class WrittenAnchor:
    """`proof` shows that somebody with one of the console's keys wrote it."""

    seq: int
    mac: str
    at: str
    proof: str

    @property
    def is_ours(self) -> bool:
        proofs = (_proof(self.seq, self.mac, self.at, key_id=key_id) for key_id in key_ids())
        return any(hmac.compare_digest(self.proof.encode(), proof.encode()) for proof in proofs)


FORGED = WrittenAnchor(seq=0, mac="", at="", proof="")


def _proof(seq: int, mac: str, at: str, *, key_id: str) -> str:
    return mac_of("anchor", f"{seq}:{mac}:{at}", key_id=key_id)


def drop_anchor() -> Anchor | None:
    """Write the end of the chain to the anchor files and the log. None when nothing was added since the last one.

    Errors: OSError when none of the files could be written to.
    """
    last = AuditEntry.objects.order_by("-seq").values_list("seq", "mac").first()
    newest = Anchor.objects.first()
    if last is None or (newest is not None and newest.seq == last[0]):
        return None
    at = datetime.now(UTC).isoformat(timespec="seconds")
    proof = _proof(last[0], last[1], at, key_id=newest_key_id())
    line = {"seq": last[0], "mac": last[1], "at": at, "proof": proof}
    _write(json.dumps(line))
    log.info("audit anchor", **line)
    return Anchor.objects.create(seq=last[0], mac=last[1])


def anchor_files() -> list[Path]:
    return [Path(path) for path in settings.AUDIT_ANCHOR_FILES]


def _write(line: str) -> None:
    """To every file that takes it; one is enough."""
    failures: list[OSError] = []
    for path in anchor_files():
        try:
            _append_line(path, line)
        except OSError as error:
            log.critical("anchor not written", path=str(path), error=error.strerror)
            failures.append(error)
    if len(failures) == len(anchor_files()):
        raise failures[0]


def _append_line(path: Path, line: str) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "a") as file:  # noqa: PTH123 - a descriptor
        file.write(f"{line}\n")
        file.flush()
        os.fsync(file.fileno())


def read_anchors() -> Iterator[WrittenAnchor]:
    """Those of every anchor file that can be read; lines that are none are taken for forged."""
    for path in anchor_files():
        try:
            lines = path.read_bytes().splitlines()
        except FileNotFoundError:
            continue
        except OSError as error:
            log.error("anchors not read", path=str(path), error=error.strerror)
            continue
        yield from map(_anchor_of, lines)


def _anchor_of(line: bytes) -> WrittenAnchor:
    try:
        return msgspec.json.decode(line, type=WrittenAnchor)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return FORGED
