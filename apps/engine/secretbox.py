"""Secrets at rest: AES-256-GCM, sealed to the place they are stored at, so a copied ciphertext opens nowhere else.

Sealed text is `v1:kid:nonce:ciphertext`, the last two in URL-safe base64. The context is authenticated, not stored: whoever
opens has to know it, and a secret moved to another row, address or field does not open.
"""

from __future__ import annotations

import base64
import binascii
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from apps.engine.errors import SecretUnusable

VERSION = "v1"
KEY_BYTES = 32
NONCE_BYTES = 12
_KID = re.compile(r"[a-z0-9][a-z0-9-]{0,31}")


@dataclass(frozen=True, slots=True)
class SecretBox:
    """`keys` are `kid:base64` words, newest first: the first seals, every one opens.

    Errors: ValueError for keys that are not what they should be; its text never repeats a key.
    """

    keys: str = field(repr=False)
    _by_kid: Mapping[str, AESGCM] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        pairs = [_pair(word) for word in self.keys.replace(",", " ").split()]
        if not pairs or len({kid for kid, _ in pairs}) < len(pairs):
            raise ValueError("a secret box needs at least one key, and each key a name of its own")
        object.__setattr__(self, "_by_kid", {kid: AESGCM(key) for kid, key in pairs})

    @property
    def kid(self) -> str:
        """The name of the key that seals."""
        return next(iter(self._by_kid))

    def seal(self, plaintext: str, context: str) -> str:
        """`plaintext` so that only the same context opens it. Two seals of one text differ."""
        nonce = os.urandom(NONCE_BYTES)
        sealed = self._by_kid[self.kid].encrypt(nonce, plaintext.encode(), context.encode())
        return f"{VERSION}:{self.kid}:{_encode(nonce)}:{_encode(sealed)}"

    def open(self, sealed: str, context: str) -> str:
        """The plaintext. Errors: SecretUnusable, saying whether the key is missing or the place is another."""
        kid, nonce, ciphertext = _parts(sealed)
        key = self._by_kid.get(kid)
        if key is None:
            raise SecretUnusable(
                f"The secret was sealed with the key {kid}, which the console no longer has.",
                way_out="Put the key back behind the newer ones, or enter the secret again.",
            )
        try:
            return key.decrypt(nonce, ciphertext, context.encode()).decode()
        except InvalidTag:
            raise SecretUnusable(
                "The stored secret belongs to another place, or was changed.", way_out="Enter the secret again."
            ) from None

    def is_current(self, sealed: str) -> bool:
        """Whether the newest key sealed it: what is not current is sealed again when keys are rotated."""
        return kid_of(sealed) == self.kid


def kid_of(sealed: str) -> str:
    """The name of the key a sealed text was made with. Errors: SecretUnusable when it is no sealed text."""
    return _parts(sealed)[0]


def new_key(kid: str) -> str:
    """A fresh `kid:base64` word of 256 random bits. Errors: ValueError for a kid with other than a-z, 0-9 and -."""
    word = f"{kid}:{base64.b64encode(os.urandom(KEY_BYTES)).decode()}"
    _pair(word)
    return word


def _pair(word: str) -> tuple[str, bytes]:
    kid, _, encoded = word.partition(":")
    try:
        key = base64.b64decode(encoded, validate=True)
    except binascii.Error:
        key = b""
    if not _KID.fullmatch(kid) or len(key) != KEY_BYTES:
        raise ValueError(f"a key is written kid:base64 with {KEY_BYTES} bytes behind the colon")
    return kid, key


def _parts(sealed: str) -> tuple[str, bytes, bytes]:
    try:
        version, kid, nonce, ciphertext = sealed.split(":")
        parts = kid, _decode(nonce), _decode(ciphertext)
    except ValueError:
        version, parts = "", ("", b"", b"")
    if version != VERSION or len(parts[1]) != NONCE_BYTES:
        raise SecretUnusable("The stored secret cannot be read.", way_out="Enter the secret again.")
    return parts


def _encode(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode()


def _decode(text: str) -> bytes:
    return base64.b64decode(text, altchars=b"-_", validate=True)
