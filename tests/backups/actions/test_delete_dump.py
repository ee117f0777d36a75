"""One backup is deleted, and no other: tests/backups/test_deleting.py has what both kinds share."""

from __future__ import annotations

from apps.backups import folder
from tests.backups.kept import put
from tests.operations.scenario import Scenario
from tests.real_servers import PostgresDatabase


def _prepare(database: PostgresDatabase) -> dict[str, object]:
    put("shop", "beside")
    return {"backup": put("shop", "chosen").name}


def _changed(database: PostgresDatabase) -> bool:
    return [each.manifest.by for each in folder.listed("shop") if each.manifest] == ["beside"]


SCENARIO = Scenario(prepare=_prepare, changed=_changed, sends=False)
