"""Who was asked to agree to a plan, and what an admin has frozen."""

from __future__ import annotations

from django.conf import settings
from django.db import connection, models
from django.utils import timezone

from apps.accounts.rows import rows
from apps.operations.models.plans import Plan


class ApprovalState(models.TextChoices):
    """VOID: the plan, the server or the rights moved away from what was agreed to."""

    ASKED = "asked"
    AGREED = "agreed"
    DENIED = "denied"
    VOID = "void"


class Approval(models.Model):
    """One question a plan. It holds for this digest alone, until it ends, and is answered once."""

    plan = models.OneToOneField(Plan, on_delete=models.CASCADE, related_name="approval")
    digest = models.CharField(max_length=64)
    reason = models.CharField(max_length=400)
    state = models.CharField(max_length=16, choices=ApprovalState.choices, default=ApprovalState.ASKED)
    asked_at = models.DateTimeField(default=timezone.now)
    expires_at = models.DateTimeField()
    answered_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+")
    answered_at = models.DateTimeField(null=True)
    comment = models.CharField(max_length=400, blank=True)
    looked_s = models.FloatField(null=True)

    class Meta:
        ordering = ("-asked_at",)

    def __str__(self) -> str:
        return f"{self.state}: {self.plan}"

    @property
    def is_over(self) -> bool:
        return self.expires_at <= timezone.now()

    @property
    def waits(self) -> bool:
        return self.state == ApprovalState.ASKED and not self.is_over

    @property
    def holds(self) -> bool:
        return self.state == ApprovalState.AGREED and not self.is_over


class Viewing(models.Model):
    """When somebody first had an approval open: how long they looked is written down with their answer."""

    approval = models.ForeignKey(Approval, on_delete=models.CASCADE, related_name="viewings")
    operator = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["approval", "operator"], name="one_viewing_a_person")]

    def __str__(self) -> str:
        return f"{self.operator} looked at {self.at}"


FROZEN = (
    "SELECT * FROM operations_freeze WHERE lifted_at IS NULL AND (until IS NULL OR until > %s) ORDER BY scope, at DESC"
)


def freezes_in_force() -> list[Freeze]:
    """Every freeze that holds now, the widest first. Cost: one query, that every page asks: its SQL stands written."""
    return rows(Freeze, FROZEN, [connection.ops.adapt_datetimefield_value(timezone.now())])


class Freeze(models.Model):
    """No run begins within the scope until it is lifted: all, an environment, or one server. Runs that go on are stopped."""

    class Scope(models.TextChoices):
        ALL = "all"
        ENVIRONMENT = "environment"
        SERVER = "server"

    scope = models.CharField(max_length=16, choices=Scope.choices)
    key = models.CharField(max_length=64, blank=True)
    reason = models.CharField(max_length=400)
    by = models.CharField(max_length=64)
    at = models.DateTimeField(default=timezone.now)
    until = models.DateTimeField(null=True, blank=True)
    lifted_at = models.DateTimeField(null=True)
    lifted_by = models.CharField(max_length=64, blank=True)

    class Meta:
        ordering = ("-at",)

    def __str__(self) -> str:
        return f"{self.scope} {self.key}".strip()

    def covers(self, *, environment: str, server_key: str) -> bool:
        return self.scope == "all" or self.key == (environment if self.scope == "environment" else server_key)
