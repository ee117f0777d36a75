"""A shop's database: quick and slow statements, a missing index, dead rows, an outbox that lags, and now and then a lock."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

import psycopg

from apps.demo.traffic import Tick

SCHEMA = Path(__file__).resolve().parent.parent / "sql" / "shop.sql"
Session: TypeAlias = "psycopg.Connection[tuple[Any, ...]]"
Connect: TypeAlias = Callable[[str], Session]
ORDERS = 150_000
CUSTOMERS = 20_000


def prepare(admin: Session) -> None:
    """Tables of some hundred thousand rows, once. About 60 MB and five seconds."""
    admin.autocommit = True
    if admin.execute("SELECT to_regclass('public.orders')").fetchone() == (None,):
        with admin.transaction():
            admin.execute(SCHEMA.read_text())
        admin.execute("VACUUM ANALYZE")


def ticks(connect: Connect, stop: threading.Event) -> list[Tick]:
    """`connect(application)` opens a session of the shop's own account under this application name."""
    block = Tick(name="db block", every_s=75, do=lambda: _a_lock(connect, stop))
    return [*_customers(connect), *_clerks(connect), block]


def _customers(connect: Connect) -> list[Tick]:
    """What people do in the shop, each kind on a connection of its own."""
    browsing, looking, ordering = (_kept(connect, "shop-web") for _ in range(3))

    def browse() -> None:
        customer = random.randrange(1, CUSTOMERS + 1)
        browsing().execute("SELECT id, name, email FROM customers WHERE id = %s", [customer])
        browsing().execute(
            "SELECT id, placed_at, cents FROM orders WHERE id = ANY(%s)",
            [[random.randrange(1, ORDERS) for _ in range(5)]],
        )
        browsing().execute("UPDATE customers SET seen_at = now() WHERE id = %s", [customer])

    def slow() -> None:
        """There is no index on orders.customer_id."""
        looking().execute(
            "SELECT count(*), sum(cents) FROM orders WHERE customer_id = %s", [random.randrange(1, CUSTOMERS)]
        )

    def order() -> None:
        session = ordering()
        with session.transaction():
            session.execute(
                "INSERT INTO orders (customer_id, state, cents, note) VALUES (%s, 'placed', %s, 'by the demo')",
                [random.randrange(1, CUSTOMERS), random.randrange(500, 90_000)],
            )
            session.execute(
                "INSERT INTO outbox_event (topic, payload) VALUES ('order.placed', jsonb_build_object('n', %s::int))",
                [random.randrange(10**6)],
            )

    return [
        Tick(name="db browse", every_s=0.15, do=browse),
        Tick(name="db slow", every_s=2.5, do=slow),
        Tick(name="db order", every_s=0.8, do=order),
    ]


def _clerks(connect: Connect) -> list[Tick]:
    """What runs behind the shop."""
    reporting, tidying, publisher = (
        _kept(connect, "shop-batch"),
        _kept(connect, "shop-batch"),
        _kept(connect, "outbox-publisher"),
    )

    def report() -> None:
        reporting().execute(
            "SELECT date_trunc('day', placed_at) AS day, state, count(*), sum(cents) FROM orders"
            " WHERE note ILIKE %s GROUP BY 1, 2 ORDER BY 4 DESC LIMIT 50",
            ["%demo%"],
        )

    def publish() -> None:
        """Takes fewer events than come, so that the outbox grows slowly."""
        publisher().execute(
            "UPDATE outbox_event SET published_at = now() WHERE id IN (SELECT id FROM outbox_event"
            " WHERE published_at IS NULL ORDER BY id LIMIT %s FOR UPDATE SKIP LOCKED)",
            [random.choice([1, 1, 2, 4])],
        )

    def tidy() -> None:
        """Keeps the demo small: it may run for weeks."""
        tidying().execute("DELETE FROM orders WHERE note = 'by the demo' AND placed_at < now() - interval '2 hours'")
        tidying().execute("DELETE FROM outbox_event WHERE published_at < now() - interval '1 hour'")
        tidying().execute("DELETE FROM outbox_event WHERE id < (SELECT max(id) - 3000 FROM outbox_event)")

    return [
        Tick(name="db report", every_s=11, do=report),
        Tick(name="db publish", every_s=2, do=publish),
        Tick(name="db tidy", every_s=300, do=tidy),
    ]


def _kept(connect: Connect, application: str) -> Callable[[], Session]:
    """A session that is opened when first wanted, and again when the server closed it. For one thread."""
    kept: list[Session] = []

    def session() -> Session:
        if not kept or kept[0].closed:
            kept[:] = [connect(application)]
        return kept[0]

    return session


def _a_lock(connect: Connect, stop: threading.Event) -> None:
    """A session updates a row and forgets to commit for half a minute, while two others want the same row."""
    row = random.randrange(1, 50)

    def want(application: str) -> None:
        with connect(application) as waiting, waiting.transaction():
            waiting.execute("UPDATE stock SET pieces = pieces - 1 WHERE product_id = %s", [row])

    with connect("shop-admin") as holder, holder.transaction():
        holder.execute("UPDATE stock SET pieces = pieces + 10 WHERE product_id = %s", [row])
        waiters = [threading.Thread(target=want, args=(name,), daemon=True) for name in ("shop-web", "shop-checkout")]
        for waiter in waiters:
            waiter.start()
        stop.wait(random.uniform(20, 40))
    for waiter in waiters:
        waiter.join(timeout=5)
