"""How much of their range the sequences of the registered database used."""

from __future__ import annotations

from collections.abc import Mapping

from apps.engine.contracts.probe import Probe, Value
from apps.engine.target import Kind, Target
from apps.history.answers import answers


def read(target: Target) -> Mapping[str, Value]:
    """Shape: the used share of the 50 fullest sequences. Units: ratio, 1 is the end.

    Cost: one statement, some 20 µs a sequence. Errors: those of postgres_node. Source: pg_sequence,
    pg_sequence_last_value. Sequences that the account may not read are left out.
    """
    return answers(target, "sequences")


PROBE = Probe(
    key="postgres_sequences",
    kind=Kind.POSTGRES,
    read=read,
    cost="one statement, 20 µs a sequence",
    every_s=900.0,
    essential=False,
)
