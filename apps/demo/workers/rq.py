"""An RQ worker on the demo's queues, in one process so that it stays light."""

from __future__ import annotations

import logging
import sys

from redis import Redis
from rq import SimpleWorker

from apps.demo.traffic.rq_traffic import QUEUES


def main(socket: str) -> None:
    logging.basicConfig(level=logging.CRITICAL)  # jobs fail here on purpose
    SimpleWorker(list(QUEUES), connection=Redis(unix_socket_path=socket, client_name="shop-rq-worker")).work(
        with_scheduler=False, logging_level="CRITICAL"
    )


if __name__ == "__main__":
    main(sys.argv[1])
