"""Which database is the console's own broker: shown like any other, and said to be its own."""

from __future__ import annotations

from urllib.parse import unquote, urlsplit

from django.conf import settings

from apps.servers.models import Server

LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


def own_database(server: Server) -> str | None:
    """The database of this server that carries the console's own tasks and notifications, or None."""
    host, port, database = _broker(settings.BROKER_URL)
    for address in server.address_list():
        same_host = address.host == host or {address.host, host} <= LOOPBACK
        if same_host and (address.is_socket or address.port == port):
            return database
    return None


def _broker(url: str) -> tuple[str, int, str]:
    """(host or socket, port, database) of redis://host:port/db and of redis+socket:///path?virtual_host=db."""
    parts = urlsplit(url)
    if "socket" in parts.scheme or parts.scheme == "unix":
        pairs = dict(pair.partition("=")[::2] for pair in parts.query.split("&"))
        return unquote(parts.path), 0, pairs.get("virtual_host") or pairs.get("db") or "0"
    return parts.hostname or "localhost", parts.port or 6379, parts.path.strip("/") or "0"
