"""The console's own tasks. Queues: `runs` for what an operator started, `dumps` for backups, `sampling` for looking at servers."""

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "console.settings")
app = Celery("console")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
