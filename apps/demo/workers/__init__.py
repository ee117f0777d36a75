"""The demo's workers: `python -m apps.demo.workers.rq SOCKET` and `... .celery SOCKET`. They need nothing of the console."""
