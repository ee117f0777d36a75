"""Target: the frozen record of one server, one profile of credentials, and how patient to be with it."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field, replace

from apps.engine.connections.addresses import AddressPolicy
from apps.engine.errors import Gone


class Kind(enum.StrEnum):
    REDIS = "redis"
    POSTGRES = "postgres"


class Profile(enum.StrEnum):
    """Which account is used: the lowest that suffices."""

    MONITOR = "monitor"
    OPERATE = "operate"
    ADMIN = "admin"
    BACKUP = "backup"


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """Where a node listens. A host that begins with "/" is a unix socket: the socket file of a Redis, the folder of a PostgreSQL."""

    host: str
    port: int

    @property
    def is_socket(self) -> bool:
        return self.host.startswith("/")

    def __str__(self) -> str:
        if self.is_socket:
            return self.host
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True, kw_only=True)
class TLS:
    """An encrypted channel whose certificate and name are always verified. PEM texts; `ca` empty means the system's roots."""

    ca: str = ""
    certificate: str = ""
    key: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """All that the engine needs to reach one server. Never stored, never logged with its secrets, never put in a task.

    `accounts` are those of all profiles: what tells the console's own sessions from others' that take its name.
    """

    id: str
    name: str
    kind: Kind
    addresses: tuple[Address, ...]
    database: str = ""
    username: str = ""
    password: str = field(default="", repr=False)
    profile: Profile = Profile.MONITOR
    accounts: tuple[str, ...] = ()
    tls: TLS | None = None
    connect_timeout_s: float = 3.0
    read_timeout_s: float = 5.0
    policy: AddressPolicy = field(default_factory=AddressPolicy)

    @property
    def address(self) -> Address:
        return self.addresses[0]

    def at(self, address: Address) -> Target:
        """The same server seen through one of its other nodes."""
        return replace(self, addresses=(address,))

    def named(self, node: str) -> Target:
        """The same server seen through the node of this name, "" for the first. Errors: Gone for one that is not registered."""
        address = next((each for each in self.addresses if not node or str(each) == node), None)
        if address is None:
            raise Gone(f"{node} is not among the registered nodes.", way_out="Go back to the page and choose again.")
        return self.at(address)
