"""One backup is opened for who asked: tests/backups/test_handing_out.py has what both kinds share."""

from __future__ import annotations

from apps.backups.handing_out import opened_for
from apps.operations.models import Run
from tests.backups.kept import put
from tests.operations.scenario import Scenario
from tests.real_servers import PostgresDatabase


def _prepare(database: PostgresDatabase) -> dict[str, object]:
    put("shop", "beside")
    return {"backup": put("shop", "chosen").name}


def _changed(database: PostgresDatabase) -> bool:
    run = Run.objects.latest("pk")
    (opened,) = opened_for(run.operator, "shop")
    return opened.backup.manifest is not None and opened.backup.manifest.by == "chosen"


SCENARIO = Scenario(prepare=_prepare, changed=_changed, sends=False)
