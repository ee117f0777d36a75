"""A pickle's opcodes, listed by pickletools, which builds nothing and imports nothing. Nothing here ever loads one."""

from __future__ import annotations

import io
import pickletools
import struct
from dataclasses import dataclass
from typing import Any

LISTED_BYTES = 64 * 1024
MOST_OPCODES = 400


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """`builds` are the names it would import, in order; `lines` one opcode each; `problem` why it ends early."""

    builds: tuple[str, ...]
    lines: tuple[str, ...]
    problem: str


def listing(raw: bytes) -> Listing | None:
    """The opcodes of a pickle of protocol 2 or later, at most 400 from 64 KiB; None for anything else."""
    if len(raw) < 3 or raw[0] != 0x80 or not 2 <= raw[1] <= 5:
        return None
    lines: list[str] = []
    names: list[str] = []
    strings: list[str] = []
    problem = ""
    try:
        for opcode, argument, at in pickletools.genops(io.BytesIO(raw[:LISTED_BYTES])):
            if len(lines) == MOST_OPCODES:
                problem = f"The listing stops after {MOST_OPCODES} opcodes."
                break
            lines.append(f"{at:6d}  {opcode.name}{_argument(argument)}")
            _remember(opcode.name, argument, strings, names)
    except (ValueError, IndexError, KeyError, OverflowError, TypeError, struct.error) as error:
        problem = f"Not a whole pickle: {str(error)[:80]}."
    if len(lines) < 2:
        return None
    return Listing(builds=tuple(dict.fromkeys(names)), lines=tuple(lines), problem=problem)


def _argument(argument: Any) -> str:
    if argument is None:
        return ""
    if isinstance(argument, int) and argument.bit_length() > 256:
        return f" an integer of {argument.bit_length():,} bits"
    if isinstance(argument, str | bytes | bytearray):
        argument = argument[:120]
    return f" {argument!r}"[:160]


def _remember(opcode: str, argument: Any, strings: list[str], names: list[str]) -> None:
    """What the pickle would import: by name in GLOBAL, by the two last strings in STACK_GLOBAL."""
    if opcode == "GLOBAL":
        names.append(str(argument)[:160].replace(" ", "."))
    elif opcode == "STACK_GLOBAL" and len(strings) >= 2:
        names.append(f"{strings[-2]}.{strings[-1]}"[:160])
    elif isinstance(argument, str):
        strings[:] = [*strings[-1:], argument[:120]]
