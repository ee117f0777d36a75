"""Set up, start in order, watch, stop in reverse order. Run by `make run`; see the Makefile."""

from __future__ import annotations

import http.client
import signal
import ssl
import sys
import threading
import time
from types import FrameType

from django.core.exceptions import ImproperlyConfigured

from apps.engine.embedded.errors import EmbeddedError
from apps.engine.embedded.place import FolderLock
from apps.engine.embedded.redis import EmbeddedRedis
from apps.engine.errors import EngineError
from apps.engine.keys import make_keys
from console.supervise import broker, checks, setup
from console.supervise.child import Child
from console.supervise.parts import parts
from console.supervise.plan import CannotStart, StartPlan, read_plan
from console.supervise.terminal import say

READY_TIMEOUT_S = 90.0
WATCH_EVERY_S = 0.2


class Supervisor:
    """Everything that this start brought up, and how to bring it down again."""

    def __init__(self, plan: StartPlan) -> None:
        self.plan = plan
        self._stopping = threading.Event()
        self._broker: EmbeddedRedis | None = None
        self._children: list[Child] = []
        self._operators_made = False
        self._asked_by = ""

    def run(self) -> int:
        """Until a signal asks to stop (0) or a part that is needed was given up (1)."""
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._ask_to_stop)
        try:
            self._start()
            return self._watch()
        finally:
            self._stop()

    def _ask_to_stop(self, number: int, _frame: FrameType | None) -> None:
        """Runs between any two steps of the main thread, which may be writing: it only notes."""
        self._asked_by = self._asked_by or signal.Signals(number).name
        self._stopping.set()

    def _start(self) -> None:
        plan = self.plan
        make_keys(plan.keys)
        if not plan.broker_url:
            self._broker = broker.start_broker(plan)
        for step in (setup.prepare_database, setup.declare_servers, setup.collect_static):
            if not self._stopping.is_set():
                step(plan)
        if self._stopping.is_set():
            return
        self._operators_made = setup.make_first_operators(plan)
        demo = setup.is_demo_wanted(plan)
        if demo:
            broker.prepare_demo_programs(plan)
        self._children = [Child(part, plan) for part in parts(plan, demo=demo)]
        for child in self._children:
            child.start()

    def _watch(self) -> int:
        ready_by, is_ready = time.monotonic() + READY_TIMEOUT_S, False
        while not self._stopping.wait(WATCH_EVERY_S):
            for child in self._children:
                child.watch()
            if any(child.gave_up and child.part.essential for child in self._children):
                return 1
            if self._broker is not None and self._broker.pid is None:
                say("The broker ended; it is started again.")
                self._broker.stop()
                self._broker.start()
            if not is_ready:
                is_ready = self._announce_when_ready(late=time.monotonic() > ready_by)
        return 0

    def _announce_when_ready(self, *, late: bool) -> bool:
        if answers(self.plan):
            passwords = (
                "the passwords of the first operators are printed above"
                if self._operators_made
                else "sign in as before"
            )
            say(f"Ready: {self.plan.url} ({passwords}; Ctrl-C stops)")
            return True
        if late:
            raise CannotStart(
                f"The web server did not answer within {READY_TIMEOUT_S:g} s; see {self.plan.logs / 'web.log'}."
            )
        return False

    def _stop(self) -> None:
        if self._asked_by:
            say(f"{self._asked_by}: stopping.")
        for child in reversed(self._children):
            child.stop()
        if self._broker is not None:
            self._broker.stop()
        say("Stopped.")


def answers(plan: StartPlan) -> bool:
    """Whether the web server answers anything at all over HTTP. Cost: one request on loopback, a second at most."""
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(plan.address, plan.address)  # noqa: S104 - compared only
    if plan.certificate:  # our own certificate may name anything: nothing but "it answers" is concluded from this
        context = ssl._create_unverified_context()  # noqa: S323
        connection: http.client.HTTPConnection = http.client.HTTPSConnection(
            host, plan.port, timeout=1, context=context
        )
    else:
        connection = http.client.HTTPConnection(host, plan.port, timeout=1)
    try:
        connection.request("GET", "/livez", headers={"Host": "localhost"})
        return connection.getresponse().status < 600
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def main() -> int:
    lock: FolderLock | None = None
    try:
        checks.check_python()
        plan = read_plan()
        checks.prepare_data_folder(plan.data)
        lock = FolderLock(plan.data)
        lock.take()
        checks.check_disk(plan.data)
        checks.check_port(plan)
        return Supervisor(plan).run()
    except (CannotStart, ImproperlyConfigured) as error:
        say(str(error), stream=sys.stderr)
    except (EmbeddedError, EngineError) as error:
        say(f"{error.message}\n{error.way_out}".strip(), stream=sys.stderr)
    finally:
        if lock is not None:
            lock.drop()
    return 1


if __name__ == "__main__":
    sys.exit(main())
