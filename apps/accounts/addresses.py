"""Where a request comes from. X-Forwarded-For counts only as far as there are proxies of our own in front."""

from __future__ import annotations

import ipaddress

from django.conf import settings
from django.http import HttpRequest

UNKNOWN = "0.0.0.0"  # noqa: S104 - an address to show and to count, never one to listen on
IPV6_CUSTOMER_BITS = 64


def client_address(request: HttpRequest) -> str:
    """The client's address, or 0.0.0.0 where the web server tells none (a unix socket).

    With TRUSTED_PROXY_COUNT=n the n-th entry from the right is believed; fewer entries than proxies means that somebody
    came around them, and then only the connection itself is believed.
    """
    hops = [hop.strip() for hop in request.headers.get("X-Forwarded-For", "").split(",")]
    trusted = settings.TRUSTED_PROXY_COUNT
    claimed = hops[-trusted] if trusted and len(hops) >= trusted else request.META.get("REMOTE_ADDR", "")
    try:
        return str(_plain(ipaddress.ip_address(claimed)))
    except ValueError:
        return UNKNOWN


def counted_address(address: str) -> str:
    """What limits count by: an IPv6 customer owns a whole /64, so that is one address."""
    ip = ipaddress.ip_address(address)
    if ip.version == 4:
        return address
    return str(ipaddress.ip_network(f"{address}/{IPV6_CUSTOMER_BITS}", strict=False))


def is_allowed(request: HttpRequest) -> bool:
    """Whether the client is in ALLOWED_OPERATOR_NETWORKS; an empty list allows every network."""
    if not settings.ALLOWED_OPERATOR_NETWORKS:
        return True
    ip = ipaddress.ip_address(client_address(request))
    return any(ip.version == network.version and ip in network for network in settings.ALLOWED_OPERATOR_NETWORKS)


def _plain(ip: ipaddress.IPv4Address | ipaddress.IPv6Address) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    return (ip.ipv4_mapped or ip) if ip.version == 6 else ip
