"""Where messages go in the tests, and a broker of their own that may be stopped."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from pytest_django import Settings
from rq import SimpleWorker
from rq.serializers import JSONSerializer

from apps.engine.embedded import binaries
from apps.engine.embedded.place import free_port
from apps.engine.embedded.redis import EmbeddedRedis
from apps.operations import outbox
from tests.operations.sinks import MailSink, WebSink, mail_sink, web_sink
from tests.real_servers import CACHE

SECRET = "shared with the receiver"
Notify = Callable[[], None]


@pytest.fixture
def web(settings: Settings) -> Iterator[WebSink]:
    with web_sink() as sink:
        settings.NOTIFY_WEBHOOKS, settings.NOTIFY_WEBHOOK_SECRET = [sink.url], SECRET
        yield sink


@pytest.fixture
def mail(settings: Settings) -> Iterator[MailSink]:
    with mail_sink() as sink:
        settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
        settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", sink.port
        yield sink


@pytest.fixture
def broker(settings: Settings, tmp_path: Path) -> Iterator[EmbeddedRedis]:
    embedded = EmbeddedRedis(binaries.find_redis(CACHE), tmp_path / "broker", port=free_port())
    with embedded:
        settings.BROKER_URL = f"redis+socket://{embedded.socket}"
        yield embedded


@pytest.fixture
def notify(broker: EmbeddedRedis) -> Notify:
    """The notifier, until its queue is empty."""

    def work() -> None:
        waiting = outbox.queue()
        SimpleWorker([waiting], connection=waiting.connection, serializer=JSONSerializer).work(burst=True)

    return work
