"""A plan: what would happen, counted, and bound to the server, the parameters and the state it was made from."""

from __future__ import annotations

import uuid
from typing import Any

from django.conf import settings
from django.db import models
from django.utils import timezone

from apps.servers.models import Server


class PlanState(models.TextChoices):
    """WAITING for a worker, PLANNING in one, READY to be confirmed, FAILED, DROPPED by hand, USED by a run."""

    WAITING = "waiting"
    PLANNING = "planning"
    READY = "ready"
    FAILED = "failed"
    DROPPED = "dropped"
    USED = "used"


class Plan(models.Model):
    """One plan of one operator. `uid` is its address; `digest` binds what a run may do to what was shown.

    `params` are those of the action: secrets sealed to this row. `content` is a contracts.plan.Plan as JSON. The server's name
    and environment are kept as text, so that history reads the same after the server was removed.
    """

    uid = models.UUIDField(unique=True, default=uuid.uuid4, editable=False)
    action = models.CharField(max_length=80)
    operator = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="plans")
    session_hash = models.CharField(max_length=64)
    server = models.ForeignKey(Server, on_delete=models.SET_NULL, null=True, related_name="plans")
    server_key = models.CharField(max_length=64)
    environment = models.CharField(max_length=32)
    params = models.TextField()
    content = models.TextField(blank=True)
    digest = models.CharField(max_length=64, blank=True)
    state = models.CharField(max_length=16, choices=PlanState.choices, default=PlanState.WAITING)
    reason = models.CharField(
        max_length=400, blank=True
    )  # as far as it was typed, so that signing in afresh loses nothing
    error = models.CharField(max_length=600, blank=True)
    error_kind = models.CharField(max_length=32, blank=True)
    done_count = models.BigIntegerField(default=0)
    total_count = models.BigIntegerField(null=True)
    note = models.CharField(max_length=200, blank=True)
    created_at = models.DateTimeField(default=timezone.now)
    heartbeat_at = models.DateTimeField(null=True)
    made_at = models.DateTimeField(null=True)
    expires_at = models.DateTimeField()
    took_s = models.FloatField(null=True)
    request_id = models.CharField(max_length=32, blank=True)

    class Meta:
        ordering = ("-created_at",)
        indexes = [models.Index(fields=["operator", "created_at"]), models.Index(fields=["state", "created_at"])]

    def __str__(self) -> str:
        return f"{self.action} on {self.server_key}"

    @property
    def short(self) -> str:
        """The plan's name for people: the first eight digits of its digest, in two groups."""
        return f"{self.digest[:4]} {self.digest[4:8]}" if self.digest else ""

    @property
    def is_over(self) -> bool:
        return self.expires_at <= timezone.now()

    @property
    def is_open(self) -> bool:
        """It may still become a run."""
        return self.state == PlanState.READY and not self.is_over

    def sealed_to(self, field: str) -> str:
        """The context of a sealed parameter."""
        return f"operations.Plan:{self.uid}:{field}"

    def described(self) -> dict[str, Any]:
        """For logs and audit: never parameters, which may be names of keys of other people."""
        return {"plan": str(self.uid), "action": self.action, "server": self.server_key}
