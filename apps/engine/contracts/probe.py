"""A probe: one bounded question that the sampler asks a server again and again, and how its counters become rates."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from apps.engine.target import Kind, Target

Value: TypeAlias = float | str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """One file under probes/ defines one as PROBE.

    `read` asks one node and gives figures by name, units in the names; None where the server does not say. A figure of many
    things carries a label: `calls_per_s[get]`, at most 60 of one name. Names that appear in `rates` (figure: counter), `shares`
    (figure: (part, rest)) or as `identity` are not shown but kept until the next sample; a rate of a labelled counter has its
    label. A changed identity (the server's run) means that the counters began anew. `every_s` is how rarely it may be asked; a
    probe that is not `essential` costs its own figures when it fails, never the server's. With `per_node` every registered
    address is asked, else the first. `configuration` says that the figures are settings: they are compared, not charted.
    """

    key: str
    kind: Kind
    read: Callable[[Target], Mapping[str, Value]]
    cost: str
    every_s: float = 0.0
    essential: bool = True
    per_node: bool = False
    configuration: bool = False
    identity: str = ""
    rates: Mapping[str, str] = field(default_factory=dict)
    shares: Mapping[str, tuple[str, str]] = field(default_factory=dict)

    @property
    def counters(self) -> frozenset[str]:
        """The names, without labels, that are kept for the next sample and not shown."""
        parts = {name for pair in self.shares.values() for name in pair}
        return frozenset({*self.rates.values(), *parts, self.identity} - {""})


def bare(name: str) -> str:
    """The name of a figure without its label: `calls_per_s` of `calls_per_s[get]`."""
    return name.partition("[")[0]


def label_of(name: str) -> str:
    """`get` of `calls_per_s[get]`; empty where there is none."""
    return name.partition("[")[2].removesuffix("]")
