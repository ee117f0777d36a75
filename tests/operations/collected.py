"""Finds the scenario of every action beside its tests: apps/x/actions/y.py is tried by tests/x/actions/test_y.py."""

from __future__ import annotations

import importlib
import sys

from apps.engine.contracts.action import AnyAction
from apps.operations.catalogue import actions
from apps.operations.undoing import UndoAction
from tests.operations.scenario import Scenario


def own_actions() -> dict[str, AnyAction]:
    """Every action that has a file of its own."""
    return {key: action for key, action in actions().items() if not isinstance(action, UndoAction)}


def module_of(action: AnyAction) -> str:
    """The module of the action's tests."""
    _, app, _, file = type(action).__module__.split(".")
    return f"tests.{app}.actions.test_{file}"


def scenario_of(action: AnyAction) -> Scenario:
    """Errors: ImportError, AttributeError where there are no tests, or none with a SCENARIO."""
    name = module_of(action)
    module = sys.modules.get(name) or importlib.import_module(name)
    found = module.SCENARIO
    assert isinstance(found, Scenario)
    return found
