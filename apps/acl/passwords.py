"""What becomes of a user's passwords. A new one is known by its SHA-256 alone, the present ones only between nodes and a run."""

from __future__ import annotations

from dataclasses import dataclass, field

from apps.acl.definitions import Definition
from apps.acl.reads.rules import HASH_SHOWN
from apps.engine.contracts.action import Refused

KEEP, ADD, REPLACE, NONE, NOPASS = "keep", "add", "replace", "none", "nopass"
_TAKE_NEW = (ADD, REPLACE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Passwords:
    """`new` is #hash, or b"" for none."""

    how: str
    new: bytes = field(default=b"", repr=False)

    @classmethod
    def of(cls, how: str, new: str) -> Passwords:
        """Errors: Refused where a new one is missing, or given for nothing."""
        if how in _TAKE_NEW and not new:
            raise Refused("Type the new password.", field="password")
        if how not in _TAKE_NEW and new:
            raise Refused("A new password was typed: say what becomes of the present ones.", field="passwords")
        return cls(how=how, new=new.encode())

    def after(self, held: Definition | None) -> tuple[bytes, ...]:
        """As ACL SETUSER takes them, for a node that holds the user as `held`."""
        present = held.passwords if held else ()
        hashes = tuple(each for each in present if each != b"nopass" and each != self.new)
        return {
            KEEP: present,
            ADD: (*hashes, self.new),
            REPLACE: (self.new,),
            NONE: (),
            NOPASS: (b"nopass",),
        }[self.how]

    def words(self, held: Definition | None) -> str:
        """What becomes of them, hashes cut to six digits."""
        present = f" ({held.shown_hashes})" if held and held.hashes else ""
        count = len(held.hashes) if held else 0
        kept = f"{count} kept{present}" if count else "none is kept"
        new = self.new[1 : 1 + HASH_SHOWN].decode("ascii", "replace") + "…"
        return {
            KEEP: f"{kept}, on each node its own",
            ADD: f"{kept}, and a new one ({new}) beside",
            REPLACE: f"{count} taken away{present}, a new one ({new}) instead",
            NONE: f"{count} taken away{present}: nobody signs in with a password",
            NOPASS: f"{count} taken away{present}: none is asked for",
        }[self.how]
