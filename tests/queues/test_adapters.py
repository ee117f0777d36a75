"""Every adapter is tested and documented, and keeps the contract."""

from __future__ import annotations

from pathlib import Path

import pytest

from apps.engine.contracts.adapter import Adapter
from apps.engine.errors import Gone
from apps.queues.catalogue import adapter_for, catalogue

ROOT = Path(__file__).resolve().parent.parent.parent


def test_adding_a_file_is_all_it_takes() -> None:
    files = {path.stem for path in (ROOT / "apps/queues/adapters").glob("*.py")} - {"__init__"}
    assert len(catalogue()) == len(files) >= 4
    assert all(isinstance(adapter, Adapter) and key == adapter.key for key, adapter in catalogue().items())


@pytest.mark.parametrize("key", sorted(catalogue()))
def test_every_adapter_has_a_line_in_the_documentation(key: str) -> None:
    assert f"| `{key}` " in (ROOT / "docs/queues.md").read_text()


def test_an_adapter_of_the_other_kind_of_server_is_not_found() -> None:
    assert adapter_for("rq", kind="redis").key == "rq"
    with pytest.raises(Gone):
        adapter_for("rq", kind="postgres")


def test_adapters_import_no_queue_library_and_no_pickle() -> None:
    sources = [path.read_text() for path in (ROOT / "apps/queues").rglob("*.py")]
    lines = [line.split("#")[0] for source in sources for line in source.splitlines()]
    imported = {line.split()[1].split(".")[0] for line in lines if line.startswith(("import ", "from "))}
    assert "apps" in imported
    assert not imported & {"rq", "celery", "kombu", "django_rq", "pickle", "redis", "psycopg", "marshal", "shelve"}
