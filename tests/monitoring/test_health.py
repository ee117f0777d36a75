"""What load balancers and Prometheus see, without a sign-in and without a broker."""

from __future__ import annotations

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from apps.history.models import LastKnown
from apps.servers.models import Server

pytestmark = pytest.mark.django_db


def test_livez_answers_anybody() -> None:
    assert Client().get("/livez").content == b"ok\n"


def test_readyz_names_the_dependency_that_fails_and_its_latency(settings: Settings) -> None:
    """No broker listens in this test: the console is degraded, and still answers."""
    response = Client().get("/readyz")
    body = response.json()
    assert response.status_code == 200
    assert body["status"] == "degraded"
    assert body["dependencies"]["database"]["ok"] is True
    assert body["dependencies"]["broker"]["ok"] is False
    assert body["dependencies"]["broker"]["latency_ms"] >= 0
    assert "127.0.0.1" not in response.content.decode()


def test_metrics_are_off_without_a_token_and_ask_for_it_with_one(settings: Settings) -> None:
    settings.METRICS_TOKEN = ""
    assert Client().get("/metrics").status_code == 404
    settings.METRICS_TOKEN = "s3cret-token"
    assert Client().get("/metrics").status_code == 401
    assert Client().get("/metrics", headers={"authorization": "Bearer wrong"}).status_code == 401


def test_metrics_tell_requests_and_the_last_figures_of_every_server(settings: Settings) -> None:
    settings.METRICS_TOKEN = "s3cret-token"
    server = Server.objects.create(key="orders-cache", kind="redis", environment="prod")
    LastKnown.objects.create(
        server=server,
        tried_at=timezone.now(),
        figures_at=timezone.now(),
        figures={"clients_count": 212, "version": "7.0"},
    )
    Client().get("/livez")
    text = Client().get("/metrics", headers={"authorization": "Bearer s3cret-token"}).content.decode()
    labels = 'environment="prod",figure="clients_count",kind="redis",server="orders-cache"'
    assert f"signalbox_server_figure{{{labels}}} 212.0" in text
    assert 'signalbox_requests_total{method="GET",route="monitoring:livez",status="200"}' in text
    assert 'signalbox_dependency_up{dependency="database"} 1.0' in text
    assert "7.0" not in [line.split()[-1] for line in text.splitlines() if "version" in line]
