"""The actions the console knows, by key. A file in a capability's `actions/` is all it takes to be one; its undo comes with it."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Iterator, Mapping
from functools import cache
from types import ModuleType

from django.apps import apps

from apps.accounts.permissions import TABLE
from apps.engine.contracts.action import Action, AnyAction, NoUndo
from apps.engine.contracts.params import fields
from apps.engine.errors import Gone
from apps.engine.registry import members
from apps.engine.target import Kind
from apps.operations.undoing import UndoAction
from apps.servers.capabilities import features


@cache
def actions() -> Mapping[str, AnyAction]:
    """Every action and every undo. Errors: TypeError or ValueError for a broken or doubled one, which stop the start."""
    found: dict[str, AnyAction] = {}
    for package in _packages():
        for key, action in members(package, Action, name="ACTION").items():  # type: ignore[type-abstract]
            _check(action)
            if key in found:
                raise ValueError(f"the key {key} is taken twice, the second time in {package.__name__}")
            found[key] = action
    undone = {undo.key: undo for action in found.values() if (undo := _undo_of(action))}
    return found | undone


def _undo_of(action: AnyAction) -> AnyAction | None:
    return None if isinstance(action.undo, NoUndo) else UndoAction(action)


def _packages() -> Iterator[ModuleType]:
    for config in apps.get_app_configs():
        if config.name.startswith("apps.") and importlib.util.find_spec(f"{config.name}.actions"):
            yield importlib.import_module(f"{config.name}.actions")


def _check(action: AnyAction) -> None:
    """What every action has to declare, so that nothing is found missing by a click."""
    fields(action.params)
    if action.permission not in TABLE:
        raise TypeError(f"{action.key}: {action.permission} is not in the permission table")
    if action.feature not in {feature.key for feature in features(action.kind)}:
        raise TypeError(f"{action.key}: {action.feature} is no feature of the capability table")
    if not action.never or not action.title or not action.verb:
        raise TypeError(f"{action.key} says too little of itself: title, verb, never")
    if action.inline and action.exclusive:
        raise TypeError(f"{action.key} is done in a click, which cannot wait for the lock of an exclusive run")


def action_for(key: str, *, kind: Kind | str = "") -> AnyAction:
    """Errors: Gone for a key that no action (of this kind of server) has."""
    action = actions().get(key)
    if action is None or (kind and action.kind != kind):
        raise Gone("There is no such action.", way_out="It may have been removed with an update.")
    return action
