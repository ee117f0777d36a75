"""The processes that make up a running console, in the order in which they start."""

from __future__ import annotations

import sys
from dataclasses import dataclass

from console.supervise.plan import PROJECT, StartPlan


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One process: what to run, how long it may take to stop, and whether the console can do without it."""

    name: str
    words: tuple[str, ...]
    stop_timeout_s: float = 10.0
    essential: bool = True


def manage(*words: str) -> tuple[str, ...]:
    return (sys.executable, str(PROJECT / "manage.py"), *words)


def parts(plan: StartPlan, *, demo: bool) -> list[Part]:
    """Web, the three workers, beat, the notifier; the demo if it is wanted.

    Without the notifier the console goes on: what is to be told keeps waiting, and the health page counts it.
    """
    found = [
        Part(name="web", words=_web(plan)),
        Part(name="runs", words=_worker("runs"), stop_timeout_s=20.0),
        Part(name="dumps", words=_worker("dumps"), stop_timeout_s=20.0),
        Part(name="sampling", words=_worker("sampling")),
        Part(name="beat", words=_celery("beat", "--pidfile=", "--schedule", str(plan.data / "beat-schedule"))),
        Part(name="notifier", words=manage("notifier"), stop_timeout_s=20.0, essential=False),
    ]
    return [*found, Part(name="demo", words=manage("demo"), stop_timeout_s=20.0, essential=False)] if demo else found


def _web(plan: StartPlan) -> tuple[str, ...]:
    host = f"[{plan.address}]" if ":" in plan.address else plan.address
    words = ("gunicorn", "console.wsgi:application", "--bind", f"{host}:{plan.port}", "--worker-class", "gthread")
    limits = ("--workers", "2", "--threads", "8", "--timeout", "60", "--graceful-timeout", "8", "--no-control-socket")
    quiet = ("--log-level", "warning", "--worker-tmp-dir", str(plan.data))
    tls = ("--certfile", plan.certificate, "--keyfile", plan.certificate_key) if plan.certificate else ()
    return (sys.executable, "-m", *words, *limits, *quiet, *tls)


def _celery(*words: str) -> tuple[str, ...]:
    """Celery warns of root because of pickle, which the settings do not accept: for a set-up by root it is noise."""
    hushed = ("-W", "ignore:You're running the worker with superuser privileges")
    celery = ("-m", "celery", "--quiet", "--app", "console.celery")
    return (sys.executable, *hushed, *celery, *words, "--loglevel", "WARNING")


def _worker(queue: str) -> tuple[str, ...]:
    name = ("--queues", queue, "--hostname", f"{queue}@signalbox", "--concurrency", "2", "--prefetch-multiplier", "1")
    return _celery("worker", *name, "--without-gossip", "--without-mingle")
