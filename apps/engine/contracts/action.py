"""An action: one thing a click may do to a server. One file under actions/ defines one as ACTION, found by its key.

The console does the rest: it makes the form from `params`, shows the plan, asks what the environment demands, runs it once,
watches it, keeps originals, writes the audit and offers the undo. An action asks and changes a server, and nothing else.
"""

from __future__ import annotations

import enum
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, ClassVar, Generic, TypeVar

from apps.engine.connections.postgres import PostgresNode
from apps.engine.connections.redis import RedisNode
from apps.engine.contracts.archive import Archive, Originals
from apps.engine.contracts.plan import Check, Outcome, Plan
from apps.engine.errors import EngineError
from apps.engine.pacing import Pacer
from apps.engine.target import Address, Kind, Profile, Target

Params = TypeVar("Params")
State = TypeVar("State")


class Tier(enum.IntEnum):
    """T2 small or reversible, T3 disruptive, T4 destructive or changing privileges. T0 and T1 only look."""

    T2 = 2
    T3 = 3
    T4 = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """How often one operator may run it on one server."""

    runs_count: int
    per_s: int


RATES = {
    Tier.T2: Rate(runs_count=30, per_s=600),
    Tier.T3: Rate(runs_count=10, per_s=600),
    Tier.T4: Rate(runs_count=3, per_s=3600),
}


class Refused(EngineError):
    """The plan cannot be made of these parameters. `field` names the one to change, "" for none of them."""

    kind = "refused"

    def __init__(self, message: str, *, field: str = "", way_out: str = "") -> None:
        super().__init__(message, way_out=way_out)
        self.field = field


class Stopped(EngineError):
    """The run has to end before it is done: asked to, past its deadline, fenced off, or past what its plan allows."""

    kind = "stopped"


class Cancelled(Stopped):
    """Somebody asked it to stop."""

    kind = "cancelled"


class Fenced(Stopped):
    """Another worker has taken the run over: touch nothing any more."""

    kind = "fenced"


class Moved(Stopped):
    """The server is not as it was when the plan was made, beyond its tolerance."""

    kind = "moved"


class TakesLonger(Exception):
    """A plan is too much work for a page: it is made again in the background."""


class Planning(ABC):
    """What plan() is given. A plan only looks, in bounded steps, and calls check() between them."""

    @abstractmethod
    def check(self, done_count: int = 0, total_count: int | None = None, note: str = "") -> None:
        """Say how far it is. Errors: TakesLonger in a page after its time, Cancelled when nobody wants the plan any more."""


class Progress(ABC):
    """What run() is given: its connections, its archive, its pace, and how it tells what it does."""

    run_number: int
    archive: Archive
    pacer: Pacer
    originals: Originals | None  # of an undo: what the run before kept

    @abstractmethod
    def redis(self, address: Address | None = None) -> AbstractContextManager[RedisNode]:
        """A connection whose commands are listed under "commands sent". Errors: those of redis_node."""

    @abstractmethod
    def postgres(
        self,
        *,
        database: str = "",
        timeout_s: float | None = None,
        lock_timeout_s: float | None = 1.0,
        address: Address | None = None,
    ) -> AbstractContextManager[PostgresNode]:
        """A session that may write, named after the run; see writing_session. Errors: those of postgres_node."""

    @abstractmethod
    def check(self) -> None:
        """Call it before every change. Errors: Cancelled, Fenced, Stopped past the deadline."""

    @abstractmethod
    def step(self, done_count: int, *, total_count: int | None = None, note: str = "") -> None:
        """Say how far it is; stored about once a second. Cost: next to none. Errors: those of check()."""

    @abstractmethod
    def log(self, words: str, *, warn: bool = False) -> None:
        """A line of the run's log, for people. No secrets, no values."""

    @abstractmethod
    def checkpoint(self, state: Any) -> None:
        """Keep a frozen dataclass durably, to resume from. Errors: Fenced."""

    @abstractmethod
    def resumed(self, state: type[State]) -> State | None:
        """The checkpoint of the try before, or None on the first."""


class Undo(ABC, Generic[Params]):
    """How what an action changed is put back, from the originals that it kept. It is planned, guarded and run like any action."""

    @abstractmethod
    def plan(self, target: Target, params: Params, *, originals: Originals, only: bytes, planning: Planning) -> Plan:
        """What would be put back, and what is left alone. `only` is a glob of names, b"" for all. Errors: Refused, EngineError."""

    @abstractmethod
    def run(
        self, target: Target, params: Params, *, originals: Originals, only: bytes, plan: Plan, progress: Progress
    ) -> Outcome:
        """Put it back; overwrite nothing unasked. Errors: Stopped, EngineError."""


@dataclass(frozen=True, slots=True)
class NoUndo:
    """Why it cannot be taken back, as a sentence."""

    why: str


class Action(ABC, Generic[Params]):
    """One action. `key` is stable: it is stored in plans, runs and audit.

    `verb` is on the button that opens the plan. `feature` is the row of the capability table that it needs. `never` says what it
    never touches. `exclusive`: no other exclusive run on the server meanwhile. `resumable`: run() goes on from its checkpoint
    after a worker was killed; the others end as unknown then, and `lost` says what becomes of what the server was doing.
    `reveals`: the permission that it takes to see what prefill() gives. `icon` is a name of the sprite. `unit` is that of its
    progress, as in an Amount: "" for things, "B on disk".
    """

    key: ClassVar[str]
    title: ClassVar[str]
    verb: ClassVar[str]
    icon: ClassVar[str] = "bolt"
    unit: ClassVar[str] = ""
    kind: ClassVar[Kind]
    tier: ClassVar[Tier]
    permission: ClassVar[str]
    feature: ClassVar[str]
    profile: ClassVar[Profile] = Profile.OPERATE
    params: ClassVar[type]
    undo: ClassVar[Undo[Any] | NoUndo]
    never: ClassVar[str]
    inline: ClassVar[bool] = False
    queue: ClassVar[str] = "runs"
    deadline_s: ClassVar[float] = 30.0
    exclusive: ClassVar[bool] = False
    resumable: ClassVar[bool] = False
    lost: ClassVar[str] = ""
    reveals: ClassVar[str] = ""

    @property
    def rate(self) -> Rate:
        return RATES[self.tier]

    @property
    def is_grave(self) -> bool:
        """Its button stands behind a rule and is red."""
        return self.tier >= Tier.T4

    def prefill(self, target: Target, known: Mapping[str, Any]) -> Mapping[str, Any]:
        """What its form begins with, read from the server; `known` is what the button brought. Errors: Refused, EngineError."""
        return {}

    def prepared(self, params: Params) -> Params:
        """The parameters as they are stored: the place to turn a password into its hash. Errors: Refused."""
        return params

    @abstractmethod
    def plan(self, target: Target, params: Params, *, planning: Planning) -> Plan:
        """What run() would do, in numbers and exact commands. Changes nothing. Errors: Refused, EngineError."""

    def checks(self, target: Target, params: Params, *, plan: Plan) -> Sequence[Check]:
        """What the plan rests on, compared with now: for the second person, and before the run. Cheap. Errors: EngineError."""
        return ()

    @abstractmethod
    def run(self, target: Target, params: Params, *, plan: Plan, progress: Progress) -> Outcome:
        """Do it, in bounded steps, never more than the plan allows. Errors: Stopped, EngineError."""


AnyAction = Action[Any]
