"""Who may put a deploy mark on the timeline, and how often it was tried."""

from __future__ import annotations

from django.db import models
from django.db.models import Q, QuerySet
from django.utils import timezone


class DeployTokens(models.QuerySet["DeployToken"]):
    def in_force(self) -> QuerySet[DeployToken]:
        now = timezone.now()
        return self.filter(Q(expires_at=None) | Q(expires_at__gt=now), revoked_at=None)


class DeployToken(models.Model):
    """A token of a machine that deploys. `public` is its half in clear, `digest` the SHA-256 of the other. Revoked, never deleted.

    It marks every server of `environments`, and `servers`, by their keys.
    """

    name = models.CharField(max_length=80)
    public = models.CharField(max_length=16, unique=True)
    digest = models.CharField(max_length=64)
    environments = models.JSONField(default=list)
    servers = models.JSONField(default=list)
    created_at = models.DateTimeField(default=timezone.now)
    created_by = models.CharField(max_length=64)
    expires_at = models.DateTimeField(null=True)
    used_at = models.DateTimeField(null=True)
    revoked_at = models.DateTimeField(null=True)
    revoked_by = models.CharField(max_length=64, blank=True)

    objects = DeployTokens.as_manager()

    class Meta:
        ordering = ["-created_at", "-pk"]

    def __str__(self) -> str:
        return self.name

    @property
    def is_in_force(self) -> bool:
        return self.revoked_at is None and (self.expires_at is None or self.expires_at > timezone.now())


class MarkTry(models.Model):
    """One try to mark. Without a token it was refused."""

    at = models.DateTimeField(default=timezone.now, db_index=True)
    address = models.CharField(max_length=64)
    token = models.ForeignKey(DeployToken, on_delete=models.CASCADE, null=True)

    class Meta:
        indexes = [
            models.Index(fields=["address", "at"], name="history_try_by_address"),
            models.Index(fields=["token", "at"], name="history_try_by_token"),
        ]

    def __str__(self) -> str:
        return f"{self.token} from {self.address}"
