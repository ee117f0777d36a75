"""A run: one plan carried out, at most once, by one worker at a time."""

from __future__ import annotations

from datetime import timedelta

from django.conf import settings
from django.db import models
from django.utils import timezone

from apps.operations.models.plans import Plan
from apps.servers.models import Server


class RunState(models.TextChoices):
    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    PARTIAL = "partial"
    CANCELLED = "cancelled"
    FAILED = "failed"
    UNKNOWN = "unknown"


OPEN = (RunState.QUEUED, RunState.RUNNING)
ENDED_BADLY = (RunState.FAILED, RunState.PARTIAL, RunState.UNKNOWN)


class Run(models.Model):
    """`token` names the worker that holds the run: whoever writes has to hold it, so that one who was given up cannot.

    `plan` is unique: a plan becomes one run at most, however often its button is pressed. `progress` is JSON: commands sent, the
    course of the pace. Times are UTC; counts are of the plan's things.
    """

    plan = models.OneToOneField(Plan, on_delete=models.PROTECT, related_name="run")
    action = models.CharField(max_length=80)
    operator = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="runs")
    server = models.ForeignKey(Server, on_delete=models.SET_NULL, null=True, related_name="runs")
    server_key = models.CharField(max_length=64)
    environment = models.CharField(max_length=32)
    reason = models.CharField(max_length=400, blank=True)
    effect = models.CharField(max_length=200)
    state = models.CharField(max_length=16, choices=RunState.choices, default=RunState.QUEUED)
    inline = models.BooleanField(default=False)
    queue = models.CharField(max_length=32, default="runs")
    single_person = models.BooleanField(default=False)
    undoes = models.ForeignKey("self", on_delete=models.PROTECT, null=True, related_name="undone_by")
    created_at = models.DateTimeField(default=timezone.now)
    not_before = models.DateTimeField(default=timezone.now)
    published_at = models.DateTimeField(null=True)
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)
    deadline_at = models.DateTimeField(null=True)
    heartbeat_at = models.DateTimeField(null=True)
    tries_count = models.PositiveSmallIntegerField(default=0)
    token = models.CharField(max_length=64, blank=True)
    worker = models.CharField(max_length=120, blank=True)
    stop_asked_at = models.DateTimeField(null=True)
    stop_asked_by = models.CharField(max_length=64, blank=True)
    done_count = models.BigIntegerField(default=0)
    total_count = models.BigIntegerField(null=True)
    note = models.CharField(max_length=200, blank=True)
    checkpoint = models.TextField(blank=True)
    progress = models.JSONField(default=dict)
    outcome = models.TextField(blank=True)
    request_id = models.CharField(max_length=32, blank=True)

    class Meta:
        ordering = ("-pk",)
        indexes = [
            models.Index(fields=["state", "heartbeat_at"]),
            models.Index(fields=["server", "state"]),
            models.Index(fields=["operator", "action", "created_at"]),
        ]

    def __str__(self) -> str:
        return f"run {self.pk}: {self.effect}"

    @property
    def is_open(self) -> bool:
        return self.state in OPEN

    @property
    def ended_badly(self) -> bool:
        return self.state in ENDED_BADLY

    @property
    def took(self) -> timedelta | None:
        if self.started_at is None:
            return None
        return (self.finished_at or timezone.now()) - self.started_at

    @property
    def waits_until(self) -> bool:
        """It is held back on purpose, and can still be cancelled before it begins."""
        return self.state == RunState.QUEUED and self.not_before > timezone.now()

    @property
    def standing(self) -> str:
        """What an open run is doing, or waits for, in words."""
        if self.state != RunState.QUEUED or self.note or self.waits_until:
            return self.note
        if self.published_at is None:
            return "not handed over yet: the broker did not take it, and is asked again every few seconds"
        return f"waits for a worker of the queue “{self.queue}”"


class LogLine(models.Model):
    """One line of a run's log, for people."""

    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="log")
    at = models.DateTimeField(default=timezone.now)
    words = models.CharField(max_length=400)
    warn = models.BooleanField(default=False)

    class Meta:
        ordering = ("-pk",)

    def __str__(self) -> str:
        return self.words


class ServerLock(models.Model):
    """One exclusive run a server. A lock that nobody renewed has ended; its next holder has a higher `fence`."""

    server = models.OneToOneField(Server, on_delete=models.CASCADE, primary_key=True, related_name="lock")
    run = models.ForeignKey(Run, on_delete=models.SET_NULL, null=True, related_name="+")
    token = models.CharField(max_length=64, blank=True)
    fence = models.BigIntegerField(default=0)
    expires_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"lock of {self.server}"
