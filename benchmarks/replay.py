"""What a page asked of its servers, asked again bare: over one plain connection of the driver for each server and database."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import psycopg
import redis

from apps.engine.connections.postgres import PostgresNode
from apps.engine.connections.redis import RedisNode
from apps.engine.target import Target


@dataclass(frozen=True, slots=True, kw_only=True)
class Trip:
    """One question as the page sent it: commands of one round trip, or a statement with its parameters."""

    address: str
    database: str
    commands: Sequence[Sequence[Any]] = ()
    statement: Any = None
    parameters: Any = None


def trip_of(node: Any, question: Sequence[Any]) -> Trip | None:
    """What a node was asked; None for what is no question of a page (connecting)."""
    match node:
        case RedisNode():
            return Trip(address=str(node.address), database=str(node._connection.db), commands=list(question[0]))
        case PostgresNode():
            database = node._connection.info.dbname
            return Trip(address=str(node.address), database=database, statement=question[0], parameters=question[1])
    return None


@dataclass(slots=True)
class Drivers:
    """Plain connections of the drivers, made as their manuals say, and kept."""

    targets: Sequence[Target]
    stack: ExitStack
    made: dict[tuple[str, str], Any] = field(default_factory=dict)

    def asking(self, trip: Trip) -> Callable[[], Any]:
        """The same question, to be asked again and again."""
        driver = self._driver(trip.address, trip.database)
        if not isinstance(driver, redis.Redis):
            return lambda: driver.execute(trip.statement, trip.parameters).fetchall()
        if len(trip.commands) == 1:
            return partial(driver.execute_command, *trip.commands[0])
        return partial(_piped, driver, trip.commands)

    def _driver(self, address: str, database: str) -> Any:
        if (address, database) not in self.made:
            target = next(target for target in self.targets if str(target.address) == address)
            self.made[address, database] = self.stack.enter_context(_connected(target, database))
        return self.made[address, database]


def _piped(driver: redis.Redis, commands: Sequence[Sequence[Any]]) -> list[Any]:
    pipeline = driver.pipeline(transaction=False)
    for command in commands:
        pipeline.execute_command(*command)  # type: ignore[no-untyped-call]
    answers: list[Any] = pipeline.execute(raise_on_error=False)
    return answers


def _connected(target: Target, database: str) -> Any:
    """The demo's servers listen on unix sockets."""
    if target.kind == "redis":
        return _redis(target, database)
    return psycopg.connect(
        host=target.address.host,
        port=target.address.port,
        dbname=database,
        user=target.username,
        password=target.password,
        autocommit=True,
    )


def _redis(target: Target, database: str) -> redis.Redis:
    """Replies as they come: what the driver would make of them costs time, and it stumbles over some."""
    made = redis.Redis(
        unix_socket_path=target.address.host,
        db=int(database),
        username=target.username or None,
        password=target.password or None,
    )
    made.response_callbacks.clear()
    return made


@contextmanager
def drivers(targets: Sequence[Target]) -> Iterator[Drivers]:
    with ExitStack() as stack:
        yield Drivers(targets, stack)
