"""The steps between an empty data folder and a console that can be started; each does nothing when it is done already."""

from __future__ import annotations

import hashlib
from pathlib import Path

from apps.engine.connections import shell
from console.supervise.parts import manage
from console.supervise.plan import PROJECT, CannotStart, StartPlan
from console.supervise.terminal import say

STEP_TIMEOUT_S = 300.0
NOT_WANTED = 1


def prepare_database(plan: StartPlan) -> None:
    _step(plan, "The database is prepared.", "migrate", "--no-input", "--verbosity", "0")


def declare_servers(plan: StartPlan) -> None:
    """What servers.toml says, if there is one. A mistake in it is told, and the console starts without that server."""
    done = _manage(plan, "load_servers", check=False)
    for said in (done.text.strip(), done.last_words if done.code else ""):
        if said:
            say(said, name="servers")


def collect_static(plan: StartPlan) -> None:
    """Only when the files changed since the last time: hashing and compressing them takes seconds."""
    stamp = plan.data / "static.stamp"
    now = _fingerprint(PROJECT / "static")
    if stamp.exists() and stamp.read_text() == now:
        return
    _step(plan, "The static files are collected.", "collectstatic", "--no-input", "--verbosity", "0")
    stamp.write_text(now)


def make_first_operators(plan: StartPlan) -> bool:
    """Make them when there are none. Their passwords go to the terminal and nowhere else. True when any were made."""
    said = _manage(plan, "first_operators").text.strip()
    if said:
        say(said, name="operators")
    return bool(said)


def is_demo_wanted(plan: StartPlan) -> bool:
    """Not when DEMO=0, and not once a server is registered."""
    if not plan.demo:
        return False
    done = _manage(plan, "demo", "--wanted", check=False)
    if done.code not in (0, NOT_WANTED):
        say(f"The demo cannot be asked whether it is wanted: {done.last_words}")
    return done.code == 0


def _step(plan: StartPlan, done: str, *words: str) -> None:
    _manage(plan, *words)
    if done:
        say(done)


def _manage(plan: StartPlan, *words: str, check: bool = True) -> shell.Finished:
    try:
        return shell.run(manage(*words), timeout_s=STEP_TIMEOUT_S, env=plan.environment(), folder=PROJECT, check=check)
    except shell.ProcessFailed as error:
        raise CannotStart(f"`manage.py {words[0]}` failed.\n{error.message}") from error


def _fingerprint(folder: Path) -> str:
    """Of names, sizes and times, and of the packages, which bring static files too."""
    digest = hashlib.sha256((PROJECT / "requirements.txt").read_bytes())
    for path in sorted(folder.rglob("*")):
        found = path.stat()
        digest.update(f"{path} {found.st_size} {found.st_mtime_ns}\n".encode(errors="surrogateescape"))
    return digest.hexdigest()
