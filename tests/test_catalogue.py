"""What the product grows by: every member has tests of its own, and a line in the documentation."""

from __future__ import annotations

from pathlib import Path

import pytest

from apps.engine.contracts.action import AnyAction
from tests.operations.collected import own_actions, scenario_of

DOCS = Path(__file__).resolve().parent.parent / "docs"


@pytest.mark.parametrize("action", own_actions().values(), ids=lambda action: action.key)
def test_an_action_has_a_scenario_beside_its_tests_and_a_line_in_docs(action: AnyAction) -> None:
    assert scenario_of(action)
    written = "\n".join(path.read_text() for path in DOCS.glob("*.md"))
    assert f"`{action.key}`" in written, f"{action.key} is in no page of docs/"
