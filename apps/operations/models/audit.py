"""The audit: rows that are added and never changed, each chained to the one before by an HMAC over its stored bytes."""

from __future__ import annotations

from typing import Any, NoReturn

from django.db import models
from django.utils import timezone


class Phase(models.TextChoices):
    """INTENT before a run, OUTCOME after it; DENIED tries; READ of unmasked data; ASKED and ANSWERED approvals; CONSOLE changes;
    SIGN_IN for sessions that begin, are proved afresh, end, or did not begin.
    """

    INTENT = "intent"
    OUTCOME = "outcome"
    DENIED = "denied"
    READ = "read"
    ASKED = "asked"
    ANSWERED = "answered"
    CONSOLE = "console"
    SIGN_IN = "sign-in"


class Appended(models.QuerySet["AuditEntry"]):
    def update(self, **_: Any) -> NoReturn:
        raise TypeError("the audit is append-only")

    def delete(self) -> NoReturn:
        raise TypeError("the audit is append-only")


class AuditEntry(models.Model):
    """`payload` is the canonical text that is hashed; the other columns repeat parts of it for filters, and are checked against it."""

    seq = models.BigIntegerField(primary_key=True)
    at = models.DateTimeField(db_index=True)
    phase = models.CharField(max_length=16, choices=Phase.choices)
    actor = models.CharField(max_length=64)
    action = models.CharField(max_length=80)
    server_key = models.CharField(max_length=64, blank=True)
    environment = models.CharField(max_length=32, blank=True)
    run_number = models.BigIntegerField(null=True, db_index=True)
    result = models.CharField(max_length=32, blank=True)
    payload = models.TextField()
    previous = models.CharField(max_length=64)
    mac = models.CharField(max_length=64)
    key_id = models.CharField(max_length=16)

    objects = Appended.as_manager()

    class Meta:
        ordering = ("-seq",)
        indexes = [
            models.Index(fields=["actor", "seq"]),
            models.Index(fields=["server_key", "seq"]),
            models.Index(fields=["phase", "seq"]),
        ]

    def __str__(self) -> str:
        return f"{self.seq} {self.phase} {self.actor} {self.action}"

    def save(self, *args: Any, **how: Any) -> None:
        if not self._state.adding:
            raise TypeError("the audit is append-only")
        super().save(*args, **{**how, "force_insert": True})

    def delete(self, *_: Any, **__: Any) -> NoReturn:
        raise TypeError("the audit is append-only")


class Anchor(models.Model):
    """The end of the chain at one moment, as it was also written outside of this database."""

    seq = models.BigIntegerField()
    mac = models.CharField(max_length=64)
    at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ("-pk",)

    def __str__(self) -> str:
        return f"{self.seq} at {self.at}"


class ChainCheck(models.Model):
    """One walk over the chain: how far, and the first thing that was wrong."""

    at = models.DateTimeField(default=timezone.now)
    rows_count = models.BigIntegerField()
    last_seq = models.BigIntegerField(null=True)
    took_s = models.FloatField()
    problem = models.CharField(max_length=400, blank=True)

    class Meta:
        ordering = ("-pk",)

    def __str__(self) -> str:
        return self.problem or f"unbroken, {self.rows_count} rows"
