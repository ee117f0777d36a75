"""Panels that are asked side by side: each fails alone, and a server that hangs costs two time-outs."""

from __future__ import annotations

import threading
from functools import partial
from typing import NoReturn

from apps.engine.errors import NotPermitted, TimedOut
from apps.upkeep.views import read_all


def _late() -> NoReturn:
    raise TimedOut("no answer")


def _closed() -> NoReturn:
    raise NotPermitted("closed")


def test_lanes_are_asked_at_the_same_time() -> None:
    both = threading.Barrier(2, timeout=10)
    panels = read_all([{"a-one": both.wait}, {"b-one": both.wait}], "", reach=lambda: None)
    assert {name: panel.ok for name, panel in panels.items()} == {"a_one": True, "b_one": True}


def test_a_lane_that_hangs_is_left_after_two_questions_and_spoils_no_other() -> None:
    asked: list[str] = []

    def hangs(name: str) -> NoReturn:
        asked.append(name)
        _late()

    hanging = {name: partial(hangs, name) for name in ("a", "b", "c", "d")}
    panels = read_all([hanging, {"e": _closed, "f": lambda: 6}], "", reach=lambda: None)
    assert asked == ["a", "b"]
    assert all(isinstance(panels[name].error, TimedOut) for name in hanging)
    assert isinstance(panels["e"].error, NotPermitted)
    assert panels["f"].value == 6


def test_nothing_is_asked_of_a_server_that_cannot_be_reached() -> None:
    panels = read_all([{"a": _closed}, {"b": _closed}], "", reach=_late)
    assert [type(panel.error) for panel in panels.values()] == [TimedOut, TimedOut]


def test_one_panel_is_asked_alone_and_in_the_thread_of_its_request() -> None:
    panels = read_all([{"a": _closed}, {"b": threading.get_ident}], "b", reach=lambda: None)
    assert {name: panel.value for name, panel in panels.items()} == {"b": threading.get_ident()}
