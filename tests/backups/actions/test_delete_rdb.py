"""One backup is deleted, and no other: tests/backups/test_deleting.py has what both kinds share."""

from __future__ import annotations

from apps.backups import folder
from tests.backups.kept import put
from tests.operations.scenario import Scenario
from tests.real_servers import RedisServer


def _prepare(server: RedisServer) -> dict[str, object]:
    put("cache", "beside")
    return {"backup": put("cache", "chosen").name}


def _changed(server: RedisServer) -> bool:
    return [each.manifest.by for each in folder.listed("cache") if each.manifest] == ["beside"]


SCENARIO = Scenario(prepare=_prepare, changed=_changed, sends=False)
