"""Settings as an installation gets them from its environment, read by a process of its own."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import pytest
from django.conf import settings

from apps.engine.connections import shell

ASK = "import json; from console import settings; print(json.dumps(settings.ALLOWED_HOSTS))"
A_KEY = "A" * 43 + "="
KEYS = {
    "SECRET_KEY": "for this test only",
    "SECRETBOX_KEYS": f"k1:{A_KEY}",
    "AUDIT_KEYS": A_KEY,
    "ARCHIVE_KEYS": A_KEY,
    "BACKUP_KEYS": A_KEY,
}


@pytest.mark.parametrize("written", ["", "web other.example.org"])
def test_the_public_name_and_the_health_check_are_answered_whatever_else_is_written(
    written: str, tmp_path: Path
) -> None:
    public = {"PUBLIC_URL": "https://console.example.org", "ALLOWED_HOSTS": written, "SIGNALBOX_DATA": str(tmp_path)}
    done = shell.run([sys.executable, "-c", ASK], timeout_s=60, env={**KEYS, **public}, folder=settings.BASE_DIR)
    assert {"console.example.org", "127.0.0.1", *written.split()} <= set(json.loads(done.text))


def test_the_image_is_built_with_every_key_that_the_settings_ask_for(tmp_path: Path) -> None:
    """As the line of the Dockerfile that collects the static files: it has no folder with keys."""
    written = dict(re.findall(r"\b([A-Z_]+_KEYS?)=(\S+)", (settings.BASE_DIR / "Dockerfile").read_text()))
    done = shell.run(
        [sys.executable, "-c", ASK],
        timeout_s=60,
        env={**written, "SIGNALBOX_DATA": str(tmp_path)},
        folder=settings.BASE_DIR,
    )
    assert "127.0.0.1" in json.loads(done.text)
