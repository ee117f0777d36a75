"""Addresses: what is taken, what is refused, and which ones are never dialled however they are dressed."""

from __future__ import annotations

import ipaddress
import socket

import pytest

from apps.engine.connections.addresses import AddressPolicy, resolve
from apps.engine.errors import AddressRefused, NameNotResolved
from apps.engine.target import Address, Kind
from apps.servers.places import NoAddress, parse_addresses

OPEN = AddressPolicy()
HOME = AddressPolicy(networks=(ipaddress.ip_network("10.0.0.0/8"), ipaddress.ip_network("fd12::/16")))

NEVER = [
    "169.254.169.254",  # metadata of most clouds
    "2852039166",  # the same as one number
    "0xa9fea9fe",
    "0251.0376.0251.0376",  # octal
    "169.254.43518",  # three parts
    "::ffff:169.254.169.254",
    "::ffff:a9fe:a9fe",
    "::169.254.169.254",  # compatible
    "::ffff:0:169.254.169.254",  # translated
    "64:ff9b::a9fe:a9fe",  # NAT64
    "64:ff9b:1::a9fe:a9fe",
    "2002:a9fe:a9fe::1",  # 6to4
    "100.100.100.200",
    "168.63.129.16",
    "192.0.0.192",
    "fd00:ec2::254",
    "fd00:ec2::23",
    "fd20:ce::254",
    "fe80::1",
    "0.0.0.0",
    "0",
    "::",
    "224.0.0.1",
    "ff02::1",
    "255.255.255.255",
    "240.0.0.1",
]
LOOPBACK = [
    "127.0.0.1",
    "127.1",
    "2130706433",
    "0x7f000001",
    "017700000001",
    "::1",
    "::ffff:127.0.0.1",
    "::127.0.0.1",
    "64:ff9b::7f00:1",
    "localhost",
]


@pytest.mark.parametrize("host", NEVER)
def test_some_addresses_are_never_dialled_in_any_dress(host: str) -> None:
    everything = AddressPolicy(loopback=True, sockets=True)
    with pytest.raises(AddressRefused):
        resolve(host, 6379, everything)


@pytest.mark.parametrize("host", LOOPBACK)
def test_this_machine_is_only_dialled_where_that_is_allowed(host: str) -> None:
    with pytest.raises(AddressRefused, match="this machine"):
        resolve(host, 6379, OPEN)
    assert resolve(host, 6379, AddressPolicy(loopback=True))


@pytest.mark.parametrize("host", ["10.20.4.7", "192.168.1.5", "172.16.0.9", "100.64.0.1", "fd12::7", "203.0.113.9"])
def test_private_and_public_addresses_are_the_products_home(host: str) -> None:
    assert [str(ip) for ip in resolve(host, 6379, OPEN)] == [host]


def test_networks_and_ports_can_be_narrowed() -> None:
    assert resolve("10.1.2.3", 6379, HOME) and resolve("fd12::9", 6379, HOME)
    for host in ("192.168.1.5", "203.0.113.9", "::ffff:192.168.1.5"):
        with pytest.raises(AddressRefused, match="outside the allowed networks"):
            resolve(host, 6379, HOME)
    ports = AddressPolicy(ports=((6379, 6390), (5432, 5432)))
    assert resolve("10.1.2.3", 6385, ports)
    with pytest.raises(AddressRefused, match="Port 22"):
        resolve("10.1.2.3", 22, ports)


def answers(*hosts: str) -> list[tuple[object, ...]]:
    return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (host, 6379)) for host in hosts]


def test_one_bad_answer_among_good_ones_refuses_the_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", lambda *a, **k: answers("10.1.2.3", "169.254.169.254"))
    with pytest.raises(AddressRefused):
        resolve("rebound.example", 6379, OPEN)


def test_a_name_that_changes_its_answer_is_judged_again_at_every_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    turns = iter([answers("10.1.2.3"), answers("169.254.169.254")])
    monkeypatch.setattr(socket, "getaddrinfo", lambda *a, **k: next(turns))
    assert resolve("rebound.example", 6379, OPEN)
    with pytest.raises(AddressRefused):
        resolve("rebound.example", 6379, OPEN)


def test_the_address_that_was_checked_is_the_one_that_is_dialled(monkeypatch: pytest.MonkeyPatch) -> None:
    from apps.engine.connections.redis import redis_node
    from apps.engine.errors import Unreachable
    from tests.servers.conftest import tcp_target

    dialled: list[tuple[str, int]] = []

    def dial(address: tuple[str, int], *rest: object, **others: object) -> socket.socket:
        dialled.append(address)
        raise ConnectionRefusedError(111, "refused")

    asked: list[str] = []

    def look_up(host: str, *rest: object, **others: object) -> list[tuple[object, ...]]:
        asked.append(host)
        return answers("10.1.2.3")

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    monkeypatch.setattr(socket, "create_connection", dial)
    target = tcp_target(Kind.REDIS, 6379).at(Address(host="cache.example", port=6379))
    with pytest.raises(Unreachable), redis_node(target, fresh=True):
        pass
    assert (asked, dialled) == (["cache.example"], [("10.1.2.3", 6379)])


def test_a_name_nobody_knows_is_said() -> None:
    with pytest.raises(NameNotResolved):
        resolve("no-such-host.invalid", 6379, OPEN)


# -- as people write them ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "kind", "wanted"),
    [
        ("10.20.4.7:6379", Kind.REDIS, ["10.20.4.7:6379"]),
        ("10.20.4.7", Kind.REDIS, ["10.20.4.7:6379"]),
        ("Db.Internal", Kind.POSTGRES, ["db.internal:5432"]),
        ("a:1\n\n  b:2 \r\n", Kind.REDIS, ["a:1", "b:2"]),
        ("[fd12::7]:6380", Kind.REDIS, ["[fd12::7]:6380"]),
        ("redis_1.net:6379", Kind.REDIS, ["redis_1.net:6379"]),
    ],
)
def test_lines_become_addresses(text: str, kind: Kind, wanted: list[str]) -> None:
    assert [str(address) for address in parse_addresses(text, kind, OPEN)] == wanted


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "at least one"),
        ("redis://u:hunter2@10.1.1.1:6379/3", "Address 10.1.1.1:6379, User u, Password as it is there, Database 3"),
        ("rediss://10.1.1.1", "TLS on"),
        ("postgresql://app@db.internal/orders?sslmode=verify-full", "User app, Database orders, TLS on"),
        ("unix:///run/redis.sock", "Not a URL"),
        ("host=db port=5432 password=hunter2", "fields of their own"),
        ("service=orders", "fields of their own"),
        ("fd12::7", "in brackets"),
        ("cache:99999", "no port"),
        ("cache:six", "no port"),
        ("cache:0", "no port"),
        ("-oProxyCommand:1", "no host name"),
        ("a b:1", "no host name"),
        ("cache/../x:1", "no host name"),
        ("@socket", "no host name"),
        ("c:1\nc:1", "twice"),
        ("169.254.169.254:80", "never dialled"),
        ("[::ffff:169.254.169.254]:80", "never dialled"),
        ("127.0.0.1", "this machine"),
        ("/run/redis/redis.sock", "sockets are not allowed"),
        ("\n".join(f"h{n}:1" for n in range(17)), "the most"),
    ],
)
def test_what_is_no_address_says_what_to_write_and_repeats_no_password(text: str, why: str) -> None:
    with pytest.raises(NoAddress) as caught:
        parse_addresses(text, Kind.REDIS, OPEN)
    assert why in str(caught.value)
    assert "hunter2" not in str(caught.value)


def test_sockets_are_taken_where_they_are_allowed() -> None:
    policy = AddressPolicy(sockets=True)
    assert parse_addresses("/run/redis/redis.sock", Kind.REDIS, policy)[0].host == "/run/redis/redis.sock"
    folder = parse_addresses("/run/postgresql:5433", Kind.POSTGRES, policy)[0]
    assert (folder.host, folder.port) == ("/run/postgresql", 5433)
