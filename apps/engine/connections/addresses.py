"""Which addresses the console may dial. Private networks are the product's home, so the danger is elsewhere:

cloud metadata and link-local addresses, multicast, "this host" in disguise, and names that change their answer between the
check and the connection. A name is resolved once, every answer is checked, and the checked address is the one that is dialled.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Sequence
from dataclasses import dataclass

from apps.engine.errors import AddressRefused, NameNotResolved

IP = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

# Never dialled, whatever the policy says.
NEVER: tuple[Network, ...] = tuple(
    ipaddress.ip_network(text)
    for text in (
        "0.0.0.0/8",
        "169.254.0.0/16",
        "224.0.0.0/4",
        "240.0.0.0/4",
        "255.255.255.255/32",
        "::/128",
        "fe80::/10",
        "fec0::/10",
        "ff00::/8",
        # Metadata and platform services of clouds that live outside the link-local range.
        "100.100.100.200/32",
        "168.63.129.16/32",
        "192.0.0.192/32",
        "fd00:ec2::/32",
        "fd20:ce::254/128",
        "fd00:42::42/128",
    )
)
# IPv6 networks that carry an IPv4 address in their last 32 bits: compatible, translated, and both NAT64 prefixes.
_CARRYING_IPV4 = tuple(map(ipaddress.IPv6Network, ("::/96", "::ffff:0:0:0/96", "64:ff9b::/96", "64:ff9b:1::/96")))


@dataclass(frozen=True, slots=True, kw_only=True)
class AddressPolicy:
    """`networks` and `ports` empty mean any (but never NEVER). Ports are (first, last) pairs."""

    networks: tuple[Network, ...] = ()
    ports: tuple[tuple[int, int], ...] = ()
    loopback: bool = False
    sockets: bool = False

    def check_socket(self, path: str) -> None:
        """Raises AddressRefused unless unix sockets are allowed here."""
        if not self.sockets:
            raise AddressRefused(f"Unix sockets are not allowed here ({path}).", way_out="Register a host and a port.")

    def check_port(self, port: int) -> None:
        if not 0 < port < 65536 or (self.ports and not any(low <= port <= high for low, high in self.ports)):
            raise AddressRefused(
                f"Port {port} is not among the allowed ports.",
                way_out="Ask who runs this console to add it to ALLOWED_TARGET_PORTS.",
            )

    def check_ip(self, ip: IP) -> None:
        """Raises AddressRefused. IPv4 addresses wrapped into IPv6 are judged as what they are."""
        ip = _unwrapped(ip)
        if any(ip in network for network in NEVER if network.version == ip.version):
            raise AddressRefused(f"{ip} is never dialled: link-local, metadata, multicast or unspecified address.")
        if ip.is_loopback:
            if not self.loopback:
                raise AddressRefused(
                    f"{ip} is this machine itself, which is not allowed here.",
                    way_out="Set ALLOW_LOOPBACK_TARGETS=1 if the servers really run beside the console.",
                )
        elif self.networks and not any(ip in network for network in self.networks if network.version == ip.version):
            raise AddressRefused(
                f"{ip} is outside the allowed networks.",
                way_out="Ask who runs this console to add its network to ALLOWED_TARGET_NETWORKS.",
            )


def _unwrapped(ip: IP) -> IP:
    """What an address really leads to: IPv4 in one of the coats that IPv6 has for it."""
    if isinstance(ip, ipaddress.IPv4Address) or ip.is_loopback or ip.is_unspecified:
        return ip
    carried = ip.ipv4_mapped or ip.sixtofour or (ip.teredo[1] if ip.teredo else None)
    if carried is None and any(ip in network for network in _CARRYING_IPV4):
        carried = ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
    return carried or ip


def resolve(host: str, port: int, policy: AddressPolicy) -> Sequence[IP]:
    """The addresses of a host, every one of them checked.

    Shape: IPv4 or IPv6 addresses in the resolver's order, no duplicates, at least one.
    Cost: one look-up of the machine's resolver, whose own time-out applies.
    Errors: NameNotResolved, AddressRefused (also when only one of several answers is refused).
    """
    policy.check_port(port)
    try:
        answers = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise NameNotResolved(
            f"The name {host} has no address.", way_out="Check the spelling, and the DNS of the console's machine."
        ) from error
    ips = list(dict.fromkeys(ipaddress.ip_address(str(answer[4][0]).split("%")[0]) for answer in answers))
    for ip in ips:
        policy.check_ip(ip)
    return ips
