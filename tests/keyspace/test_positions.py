"""A position survives the journey through a URL; a forged one is refused, never followed."""

from __future__ import annotations

import base64

import pytest

from apps.engine.errors import Gone
from apps.keyspace.positions import Position, position


def test_a_cursor_of_64_bits_comes_back_digit_by_digit() -> None:
    before = Position(
        cursors={"10.0.0.1:6379": "18446744073709551615", "/run/r.sock": "7"}, looked_count=9, found_count=2
    )
    assert position(before.text()) == before
    assert position(before.text()).cursor("10.0.0.1:6379") == "18446744073709551615"


def test_nothing_is_the_beginning_and_so_is_an_unknown_node() -> None:
    assert position("") == Position()
    assert Position().cursor("elsewhere") == "0"


@pytest.mark.parametrize(
    "raw",
    [
        b"", b"{}", b"[1,2]", b'[{"a":5},0,0]', b'[{"a":"-1"},0,0]', b'[{"a":"18446744073709551616"},0,0]',
        b'[{"a":"1"},-1,0]', b'[{"a":"1"},true,0]', b'[{"a":"1"},1.5,0]', '[{"a":"١"},0,0]'.encode(), b"[" * 1400,
    ],
)  # fmt: skip
def test_what_was_cut_or_changed_is_refused(raw: bytes) -> None:
    with pytest.raises(Gone):
        position(base64.urlsafe_b64encode(raw).decode().rstrip("=") or "!")
