"""Who answers at an address? Asked without any secret, before a password is sent to something that is no database.

A Redis says + or - to PING, a PostgreSQL says S or N to its request for TLS, a web server says HTTP, and a port that speaks
only TLS completes a handshake. Nothing is verified here: no more than one line each way, and the connection is closed.
"""

from __future__ import annotations

import enum
import socket
import ssl
from collections.abc import Sequence
from dataclasses import dataclass

from apps.engine.connections.addresses import IP, resolve
from apps.engine.errors import TimedOut, Unreachable
from apps.engine.target import Kind, Target

PING = b"PING\r\n"
TLS_REQUEST = b"\x00\x00\x00\x08\x04\xd2\x16\x2f"  # PostgreSQL's SSLRequest


class Speaks(enum.StrEnum):
    REDIS = "redis"
    POSTGRES = "postgres"
    HTTP = "http"
    TLS = "tls"
    NOTHING_KNOWN = "nothing known"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What spoke. `offers_tls` is PostgreSQL's own word on it, None for others."""

    speaks: Speaks
    offers_tls: bool | None = None


def sniff(target: Target, *, timeout_s: float = 0.7) -> Answer:
    """Who answers at the first address of a target.

    Cost: one to three short connections; at most three times `timeout_s`, most of it only where something hangs.
    Errors: Unreachable, TimedOut, NameNotResolved, AddressRefused.
    """
    ips = resolve(target.address.host, target.address.port, target.policy)
    if target.kind == Kind.REDIS and target.tls is not None and _completes_handshake(ips, target, timeout_s):
        return Answer(speaks=Speaks.TLS)
    questions = (PING, TLS_REQUEST) if target.kind == Kind.REDIS else (TLS_REQUEST, PING)
    silent_count = 0
    for question in questions:
        reply = _asked(ips, target, question, timeout_s)
        silent_count += reply is None
        if (answer := _judged(reply or b"", question)) is not None:
            return answer
    if target.tls is None and _completes_handshake(ips, target, timeout_s):
        return Answer(speaks=Speaks.TLS)
    if silent_count == len(questions):
        raise TimedOut(
            f"{target.address} accepts the connection and says nothing.",
            way_out="Check that the server is not stopped or overloaded, and that this is its port.",
        )
    return Answer(speaks=Speaks.NOTHING_KNOWN)


def _judged(reply: bytes, question: bytes) -> Answer | None:
    if question == TLS_REQUEST and reply in (b"S", b"N"):
        return Answer(speaks=Speaks.POSTGRES, offers_tls=reply == b"S")
    if reply.startswith(b"HTTP/"):
        return Answer(speaks=Speaks.HTTP)
    if reply[:2] == b"\x15\x03":  # an alert of TLS: it took our line for a broken handshake
        return Answer(speaks=Speaks.TLS)
    if question == PING and reply[:1] in (b"+", b"-"):
        return Answer(speaks=Speaks.REDIS)
    return None


def _dialled(ips: Sequence[IP], target: Target, timeout_s: float) -> socket.socket:
    for ip in ips:
        try:
            return socket.create_connection((str(ip), target.address.port), timeout_s)
        except TimeoutError:
            failure: Unreachable = TimedOut(
                f"{target.address} did not answer in time.",
                way_out="Check the address, and the firewalls between the console and the server.",
            )
        except OSError as error:
            failure = _unreachable(error, target)
    raise failure


def _unreachable(error: OSError, target: Target) -> Unreachable:
    if isinstance(error, ConnectionRefusedError):
        return Unreachable(
            f"Connection refused by {target.address}.",
            way_out="Check the port, and that the server runs and listens there.",
        )
    return Unreachable(
        f"There is no way to {target.address}: {error.strerror or 'the network refused'}.",
        way_out="Check the address, and the network.",
    )


def _asked(ips: Sequence[IP], target: Target, question: bytes, timeout_s: float) -> bytes | None:
    """The first bytes of the answer; empty when it hung up, None when it said nothing in time."""
    with _dialled(ips, target, timeout_s) as wire:
        wire.settimeout(timeout_s)
        try:
            wire.sendall(question)
            return wire.recv(16)
        except TimeoutError:
            return None
        except OSError:
            return b""


def _completes_handshake(ips: Sequence[IP], target: Target, timeout_s: float) -> bool:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE  # nothing is sent through it
    with _dialled(ips, target, timeout_s) as wire:
        wire.settimeout(timeout_s)
        try:
            context.wrap_socket(wire).close()
        except ssl.SSLError as error:
            return "ALERT" in (error.reason or "")  # it objects in TLS: it speaks TLS
        except OSError:
            return False
    return True
