"""Vendored files are the ones that were looked at, and hashed names reach every reference."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from pathlib import Path

import pytest
from django.conf import settings
from django.contrib.staticfiles import storage as staticfiles
from django.core.management import call_command
from django.test import override_settings

VENDOR = Path(settings.BASE_DIR, "static", "vendor")
LOCK = [line.split() for line in (VENDOR / "vendor.lock").read_text().splitlines() if not line.startswith("#")]
MANIFEST = {"staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"}}


def test_every_vendored_file_is_locked() -> None:
    there = {path.name for path in VENDOR.iterdir() if not path.name.startswith("LICENSE")} - {"vendor.lock"}
    assert {name for _, name, _ in LOCK} == there


@pytest.mark.parametrize(("digest", "name", "package"), LOCK, ids=lambda word: word[:24])
def test_a_vendored_file_is_the_one_that_was_locked(digest: str, name: str, package: str) -> None:
    content = (VENDOR / name).read_bytes()
    assert digest == "sha384-" + base64.b64encode(hashlib.sha384(content).digest()).decode()
    assert re.fullmatch(r"(@[a-z-]+/)?[a-z.]+@\d+\.\d+\.\d+", package)


def test_static_files_are_collected_under_hashed_names_and_the_sprites_too(tmp_path: Path) -> None:
    with override_settings(STORAGES=MANIFEST, STATIC_ROOT=tmp_path):
        call_command("collectstatic", interactive=False, verbosity=0)
        names = json.loads((tmp_path / "staticfiles.json").read_text())["paths"]
        assert re.fullmatch(r"icons\.[0-9a-f]{12}\.svg", names["icons.svg"])
        assert (tmp_path / names["icons.svg"]).exists()
        assert (tmp_path / names["vendor/htmx.min.js"]).exists()
        assert staticfiles.staticfiles_storage.url("icons.svg").endswith(names["icons.svg"])


def sprite_ids(name: str) -> set[str]:
    return set(re.findall(r'<symbol[^>]*\bid="([a-z0-9-]+)"', Path(settings.BASE_DIR, "static", name).read_text()))


def test_every_icon_that_a_template_names_is_in_the_sprite() -> None:
    sources = [path.read_text() for path in Path(settings.BASE_DIR, "templates").rglob("*.html")]
    named = {name for source in sources for name in re.findall(r'\{% icon "([a-z0-9-]+)"', source)}
    assert named
    assert named - sprite_ids("icons.svg") == set()


def test_every_signal_has_its_shape() -> None:
    shapes = {"ok", "info", "warn", "crit", "down", "unknown", "skip", "run", "pause", "done"}
    assert shapes <= sprite_ids("signals.svg")


def test_the_scripts_of_the_frame_stay_small_and_build_no_code_from_text() -> None:
    source = Path(settings.BASE_DIR, "static", "signalbox.js").read_text()
    assert len(source.splitlines()) < 250
    assert not re.search(r"\beval\(|new Function|innerHTML|insertAdjacentHTML|document\.write", source)
