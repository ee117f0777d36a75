"""A Celery worker on the demo's queues, all but the forgotten one."""

from __future__ import annotations

import sys
import warnings

from apps.demo.traffic.jobs import shop


def main(socket: str) -> None:
    warnings.filterwarnings("ignore", message="You.re running the worker with superuser privileges")
    app = shop(f"redis+socket://{socket}")
    app.worker_main(
        [
            "worker",
            "--pool=threads",
            "--concurrency=2",
            "-Q",
            "thumbnails,invoices",
            "-n",
            "demo@%h",
            "--loglevel=WARNING",
        ]
    )


if __name__ == "__main__":
    main(sys.argv[1])
