"""Addresses as people write them: one `host:port` a line. Never a URL, which could carry options to the driver."""

from __future__ import annotations

import ipaddress
import re
from urllib.parse import urlsplit

from apps.engine.connections.addresses import AddressPolicy
from apps.engine.errors import EngineError
from apps.engine.target import Address, Kind

PORTS = {Kind.REDIS: 6379, Kind.POSTGRES: 5432}
MOST = 16
_NAME = re.compile(r"(?=.{1,253}\Z)[A-Za-z0-9_]([A-Za-z0-9_-]{0,62}|[A-Za-z0-9_.-]{0,251}[A-Za-z0-9_])\Z")
_BRACKETED = re.compile(r"\[([0-9A-Fa-f:.]+)\](?::(\d{1,5}))?\Z")
_CONNINFO = re.compile(r"\b(host|hostaddr|port|dbname|user|password|service|sslmode)\s*=", re.IGNORECASE)


class NoAddress(ValueError):
    """The text is no address; its message says what to write instead."""


def parse_addresses(text: str, kind: Kind, policy: AddressPolicy) -> tuple[Address, ...]:
    """The addresses of a form's lines. What the address policy refuses whatever the name server says is refused here.

    Errors: NoAddress.
    """
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if not lines:
        raise NoAddress("Write at least one address, such as 10.20.4.7:6379.")
    if len(lines) > MOST:
        raise NoAddress(f"{MOST} addresses are the most for one server.")
    addresses = tuple(_parsed(line, kind) for line in lines)
    if len(set(addresses)) < len(addresses):
        raise NoAddress("An address is there twice.")
    for address in addresses:
        _check(address, policy)
    return addresses


def _parsed(line: str, kind: Kind) -> Address:
    if "://" in line or line.lower().startswith(("redis:", "rediss:", "postgres:", "postgresql:")):
        raise NoAddress(_fields_of_url(line))
    if _CONNINFO.search(line):
        raise NoAddress("Write host and port only; user, password and database have fields of their own.")
    if line.startswith("/"):
        return _socket(line, kind)
    if bracketed := _BRACKETED.match(line):
        return Address(host=bracketed[1], port=_port(bracketed[2], kind))
    if line.count(":") > 1:
        raise NoAddress(f"Write an IPv6 address in brackets: [{line[:60]}]:{PORTS[kind]}.")
    host, _, port = line.partition(":")
    if not _NAME.match(host):
        raise NoAddress(f"{host[:60]!r} is no host name or address. Write host:port, one a line.")
    return Address(host=host.lower(), port=_port(port or None, kind))


def _port(text: str | None, kind: Kind) -> int:
    if text is None:
        return PORTS[kind]
    if not text.isascii() or not text.isdigit() or not 0 < int(text) < 65536:
        raise NoAddress(f"{text[:20]!r} is no port: write a number from 1 to 65535.")
    return int(text)


def _socket(line: str, kind: Kind) -> Address:
    path, colon, port = line.rpartition(":")
    if colon and port.isdigit():
        return Address(host=path, port=_port(port, kind))
    return Address(host=line, port=PORTS[kind])


def _fields_of_url(text: str) -> str:
    """Which fields a pasted URL would fill. The password is not repeated."""
    try:
        parts = urlsplit(text)
        host, port, user, path = parts.hostname or "", parts.port, parts.username or "", parts.path.strip("/")
        has_password = bool(parts.password)
    except ValueError:
        return "Write host:port, not a URL."
    place = f"[{host}]" if ":" in host else host
    found = [f"Address {place}{f':{port}' if port else ''}"] if host else []
    found += [f"User {user}"] if user else []
    found += ["Password as it is there"] if has_password else []
    found += [f"Database {path}"] if path else []
    found += ["TLS on"] if parts.scheme == "rediss" or "sslmode=verify" in parts.query else []
    return f"Not a URL, it could carry options with it. Fill in instead: {', '.join(found) or 'host:port'}."


def _check(address: Address, policy: AddressPolicy) -> None:
    """Literal addresses now, names at every connection."""
    try:
        if address.is_socket:
            policy.check_socket(address.host)
            return
        policy.check_port(address.port)
        try:
            ip = ipaddress.ip_address(address.host)
        except ValueError:
            return
        policy.check_ip(ip)
    except EngineError as error:
        raise NoAddress(f"{error.message} {error.way_out}".strip()) from error
