"""Take the pictures of the README and docs from a console that runs with its demo.

    make screenshots        (or: python -m tools.screenshots [--out docs/pictures] [--all])

Starts its own console (`python -m console.supervise`) in a temporary data folder on a free port, signs in as the maintainer it
prints, waits until the demo has something to show, and writes PNG files of 1440 x 900. `--all` also takes every page light and
dark, wide and narrow: for looking at one's own work. The last pictures are of a change: its plan and its run.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread

from playwright.sync_api import Browser, Page, sync_playwright

from apps.engine.embedded.place import free_port

ROOT = Path(__file__).resolve().parent.parent
CHROMIUM = ("chromium", "chromium-browser", "google-chrome")
FLAGS = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
)  # fmt: skip
PAGES = {
    "overview": "/",
    "keyspace": "/servers/demo-redis/keyspace/",
    "queues": "/queues/",
    "slow-queries": "/servers/demo-postgres/slow/",
    "slow-log": "/servers/demo-redis/slow/",
    "activity": "/servers/demo-postgres/activity/",
    "clients": "/servers/demo-redis/activity/",
    "acl": "/servers/demo-redis/acl/",
    "roles": "/servers/demo-postgres/acl/",
    "upkeep-redis": "/servers/demo-redis/upkeep/",
    "upkeep-postgres": "/servers/demo-postgres/upkeep/",
    "backups": "/backups/",
    "runs": "/runs/",
    "approvals": "/approvals/",
    "archive": "/archive/",
    "audit": "/audit/",
    "server-redis": "/servers/demo-redis/?range=1h",
    "server-postgres": "/servers/demo-postgres/?range=1h",
    "timeline": "/timeline/",
}
PATTERN = "session:*"
IN_README = ("overview", "server-redis", "keyspace", "queues", "slow-queries", "activity")


@contextmanager
def console(data: Path) -> Iterator[tuple[str, str, str]]:
    """A console of its own: (address, name, password) of its maintainer."""
    port = free_port()
    environment = {**os.environ, "SIGNALBOX_DATA": str(data), "PORT": str(port)}
    process = subprocess.Popen(
        [sys.executable, "-m", "console.supervise"], cwd=ROOT, env=environment, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True,
    )  # fmt: skip
    try:
        name, password = _ready(process)
        yield f"http://localhost:{port}", name, password
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(timeout=90)


def _ready(process: subprocess.Popen[str]) -> tuple[str, str]:
    credentials: tuple[str, str] | None = None
    assert process.stdout is not None
    for line in process.stdout:
        sys.stderr.write(line)
        if match := re.search(r"\b(maintainer)\s+(\S{16,})", line):
            credentials = (match[1], match[2])
        if credentials and "http://" in line:
            Thread(target=lambda: [None for _ in process.stdout or ()], daemon=True).start()
            return credentials
    raise SystemExit("The console did not start.")


def sign_in(page: Page, address: str, name: str, password: str) -> None:
    page.goto(f"{address}/")
    page.fill("input[name=login]", name)
    page.fill("input[name=password]", password)
    page.click("button[type=submit]")
    page.wait_for_selector(".sb-side")


def pictures(browser: Browser, address: str, credentials: tuple[str, str], out: Path, *, everything: bool) -> None:
    for theme in ("light", "dark"):
        for width in (1440, 390) if everything else (1440,):
            context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=theme)
            page = context.new_page()
            sign_in(page, address, *credentials)
            for name, path in PAGES.items():
                if everything or (name in IN_README and (theme == "light" or name == "overview")):
                    page.goto(address + path)
                    page.wait_for_timeout(1000)
                    page.screenshot(
                        path=out / f"{name}-{theme}{'' if width == 1440 else '-narrow'}.png", full_page=everything
                    )
            context.close()


def change(browser: Browser, address: str, credentials: tuple[str, str], out: Path, data: Path) -> None:
    """A plan on a staging server, which asks for more than the demo's dev does, and its run."""
    manage(
        "shell", "-c", "from apps.servers.models import Server; Server.objects.update(environment='staging')", data=data
    )
    page = browser.new_context(viewport={"width": 1440, "height": 900}).new_page()
    sign_in(page, address, *credentials)
    page.goto(f"{address}/servers/demo-redis/do/keyspace.delete_pattern/?pattern={PATTERN}")
    page.get_by_role("button", name="Plan it").click()
    page.wait_for_selector("[data-guard]")
    page.fill("[name=reason]", "OPS-2214: sessions of the old login")
    page.screenshot(path=out / "plan-light.png")
    page.fill("[name=name]", "demo-redis")
    page.click("[data-guard-button]")
    page.wait_for_selector("#run .undo")
    page.screenshot(path=out / "run-light.png")


def manage(*words: str, data: Path) -> None:
    environment = {**os.environ, "SIGNALBOX_DATA": str(data)}
    subprocess.run(
        [sys.executable, "manage.py", *words], cwd=ROOT, env=environment, check=True, stdout=subprocess.DEVNULL
    )


def main() -> int:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--out", type=Path, default=ROOT / "docs" / "pictures")
    arguments.add_argument("--all", action="store_true", help="every page, both themes, wide and narrow")
    arguments.add_argument(
        "--wait", type=float, default=900.0, help="seconds of traffic before the first picture: charts need some"
    )
    chosen = arguments.parse_args()
    chromium = next((path for name in CHROMIUM if (path := shutil.which(name))), None)
    if chromium is None:
        raise SystemExit("No Chromium on this machine: on Debian, apt-get install chromium")
    chosen.out.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory(prefix="signalbox-pictures-") as data,
        console(Path(data)) as (address, name, password),
    ):
        time.sleep(chosen.wait)
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=chromium, args=list(FLAGS))
            pictures(browser, address, (name, password), chosen.out, everything=chosen.all)
            change(browser, address, (name, password), chosen.out, Path(data))
            browser.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
