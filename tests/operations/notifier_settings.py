"""Settings of a notifier that a test starts as a process: the test's own database, broker and webhook."""

import os

from tests.settings import *  # noqa: F403

DATABASES["default"] |= {"NAME": os.environ["NOTIFIER_DATABASE"]}  # noqa: F405
BROKER_URL = os.environ["NOTIFIER_BROKER"]
NOTIFY_WEBHOOKS = [os.environ["NOTIFIER_WEBHOOK"]]
NOTIFY_WEBHOOK_SECRET = os.environ["NOTIFIER_SECRET"]
