"""What the pages of this app show, put together from reads and from what is stored."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from apps.engine.errors import EngineError
from apps.engine.target import Address, Profile
from apps.servers.capabilities import Capability
from apps.servers.models import Server
from apps.servers.panels import Panel, read_panel
from apps.servers.reads import Identity, identify
from apps.servers.reads.rights import missing_lines

AT_ONCE = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class NodePanel:
    """One registered address and what answered there."""

    address: Address
    panel: Panel[Identity]


@dataclass(frozen=True, slots=True, kw_only=True)
class RightsOfProfile:
    """What one account may and may not do. `lines` is one text that would allow all of it."""

    profile: Profile
    allowed: tuple[Capability, ...]
    lacking: tuple[Capability, ...]

    @property
    def lines(self) -> str:
        return missing_lines(self.lacking)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rights:
    by_profile: tuple[RightsOfProfile, ...]

    @property
    def count(self) -> int:
        return sum(len(p.allowed) + len(p.lacking) for p in self.by_profile)

    @property
    def lacking_count(self) -> int:
        return sum(len(p.lacking) for p in self.by_profile)

    @property
    def allowed_count(self) -> int:
        return self.count - self.lacking_count


def rights_of(capabilities: Sequence[Capability]) -> Rights:
    """Capabilities by profile, those that are lacking apart."""
    return Rights(
        by_profile=tuple(
            RightsOfProfile(
                profile=profile,
                allowed=tuple(c for c in mine if c.ok),
                lacking=tuple(c for c in mine if not c.ok),
            )
            for profile in Profile
            if (mine := [c for c in capabilities if c.profile == profile])
        )
    )


def rights_known(server: Server) -> Rights:
    """What the last probe found of every account. Cost: nothing."""
    found = (server.capability(key, Profile(p)) for p, keys in server.capabilities.items() for key in keys)
    return rights_of([capability for capability in found if capability is not None])


def rights_summary(server: Server) -> tuple[int, int] | None:
    """(lacking, all) as last probed, None before the first probe. Cost: nothing."""
    found = [entry for features in server.capabilities.values() for entry in features.values()]
    return (sum(not entry["ok"] for entry in found), len(found)) if found else None


def nodes_of(server: Server) -> list[NodePanel]:
    """Every registered address, asked at the same time.

    Cost: identify once an address, together no longer than the slowest, which its time-outs bound. Errors: none; each
    address has its own.
    """
    addresses = server.address_list()
    try:
        target = server.target()
    except EngineError as error:
        return [NodePanel(address=a, panel=Panel(value=None, error=error, took_s=0.0)) for a in addresses]
    if len(addresses) == 1:  # nothing to do at the same time: no thread
        return [NodePanel(address=addresses[0], panel=read_panel(lambda: identify(target, fresh=False)))]
    with ThreadPoolExecutor(max_workers=AT_ONCE, thread_name_prefix="identify") as pool:
        panels: Iterable[Panel[Identity]] = pool.map(
            lambda address: read_panel(lambda: identify(target.at(address), fresh=False)), addresses
        )
        return [NodePanel(address=a, panel=panel) for a, panel in zip(addresses, panels, strict=True)]
