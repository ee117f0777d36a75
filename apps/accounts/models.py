"""Operators and what they were granted. Accounts knows no server: a scope is a kind and a key, both text."""

from __future__ import annotations

from typing import Any, ClassVar

from django.contrib.auth.models import AbstractBaseUser, BaseUserManager
from django.db import models
from django.db.models import Q
from django.utils import timezone

from apps.accounts.rows import rows


class Role(models.TextChoices):
    VIEWER = "viewer"
    OPERATOR = "operator"
    MAINTAINER = "maintainer"
    ADMIN = "admin"
    AUDITOR = "auditor"


class ScopeKind(models.TextChoices):
    ALL = "all"
    ENVIRONMENT = "environment"
    TAG = "tag"
    SERVER = "server"


class Operators(BaseUserManager["Operator"]):
    def create_user(self, username: str, password: str | None = None, **fields: Any) -> Operator:
        operator = self.model(username=username.lower(), **fields)
        operator.set_password(password)
        operator.save()
        return operator


class Operator(AbstractBaseUser):
    """A person who signs in. Roles come from assignments alone; there is no superuser."""

    username = models.CharField(max_length=64, unique=True)
    name = models.CharField(max_length=120, blank=True)
    email = models.EmailField(blank=True)
    note = models.CharField(max_length=200, blank=True)
    is_active = models.BooleanField(default=True)
    locked_at = models.DateTimeField(null=True, blank=True)
    locked_reason = models.CharField(max_length=200, blank=True)
    created_at = models.DateTimeField(default=timezone.now)
    seen_at = models.DateTimeField(null=True, blank=True)

    USERNAME_FIELD = "username"
    EMAIL_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = []
    objects = Operators()

    class Meta:
        ordering = ("username",)

    def __str__(self) -> str:
        return self.username

    @property
    def initials(self) -> str:
        return (self.name or self.username)[:2].upper()

    @property
    def may_sign_in(self) -> bool:
        return self.is_active and self.locked_at is None


class Assignments(models.QuerySet["Assignment"]):
    def in_force(self) -> Assignments:
        now = timezone.now()
        return self.filter(Q(expires_at=None) | Q(expires_at__gt=now), revoked_at=None)

    def held_by(self, operator: Operator) -> list[Assignment]:
        """Those in force for one operator. Cost: one query."""
        now = timezone.now()
        statement = "SELECT * FROM accounts_assignment WHERE operator_id = %s AND revoked_at IS NULL"
        not_revoked = rows(self.model, statement, [operator.pk])
        return [held for held in not_revoked if held.expires_at is None or held.expires_at > now]


class Assignment(models.Model):
    """One role of one operator within one scope, until when, why, and by whom. Ended, never deleted."""

    operator = models.ForeignKey(Operator, on_delete=models.CASCADE, related_name="assignments")
    role = models.CharField(max_length=16, choices=Role.choices)
    scope_kind = models.CharField(max_length=16, choices=ScopeKind.choices, default=ScopeKind.ALL)
    scope_key = models.CharField(max_length=64, blank=True)
    reason = models.CharField(max_length=200, blank=True)
    granted_by = models.CharField(max_length=64)
    granted_at = models.DateTimeField(default=timezone.now)
    expires_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)
    revoked_by = models.CharField(max_length=64, blank=True)

    objects = Assignments.as_manager()

    class Meta:
        ordering = ("operator", "role", "scope_kind", "scope_key")
        indexes = [models.Index(fields=["operator", "revoked_at"])]
        constraints = [
            models.CheckConstraint(
                condition=Q(scope_kind="all", scope_key="") | (~Q(scope_kind="all") & ~Q(scope_key="")),
                name="scope_key_unless_all",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.role} of {self.scope_kind} {self.scope_key}".strip()


class Invitation(models.Model):
    """A one-time code with which an operator sets a password of their own. Only its hash is kept."""

    operator = models.ForeignKey(Operator, on_delete=models.CASCADE, related_name="invitations")
    code_hash = models.CharField(max_length=64, unique=True)
    created_by = models.CharField(max_length=64)
    created_at = models.DateTimeField(default=timezone.now)
    expires_at = models.DateTimeField()
    used_at = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return f"invitation of {self.operator}"


class Outcome(models.TextChoices):
    PENDING = "pending"
    FAILED = "failed"
    PASSED = "passed"


class LoginTry(models.Model):
    """One try to sign in. `name_hash` limits a name that may not exist; the name itself, often a mistyped password, is not kept."""

    at = models.DateTimeField(default=timezone.now, db_index=True)
    address = models.CharField(max_length=64)
    name_hash = models.CharField(max_length=64)
    operator = models.ForeignKey(Operator, on_delete=models.CASCADE, null=True, blank=True)
    outcome = models.CharField(max_length=8, choices=Outcome.choices, default=Outcome.PENDING)
    refused_count = models.PositiveIntegerField(default=0)  # tries after this one that were not even looked at

    class Meta:
        indexes = [models.Index(fields=["address", "at"])]

    def __str__(self) -> str:
        return f"{self.outcome} from {self.address}"


class ReadReason(models.Model):
    """Why an operator opened data for which the table asks a reason: one permission, one server, for a while. Never deleted."""

    operator = models.ForeignKey(Operator, on_delete=models.CASCADE, related_name="read_reasons")
    permission = models.CharField(max_length=64)
    place_key = models.CharField(max_length=64)
    reason = models.CharField(max_length=400)
    at = models.DateTimeField(default=timezone.now)
    expires_at = models.DateTimeField()

    class Meta:
        indexes = [models.Index(fields=["operator", "permission", "place_key", "expires_at"])]

    def __str__(self) -> str:
        return f"{self.permission} at {self.place_key}"


class CacheEntry(models.Model):
    """What `cache.StoredCache` keeps: JSON under a key until it expires."""

    key = models.CharField(max_length=250, primary_key=True)
    value = models.TextField()
    expires_at = models.DateTimeField(db_index=True)

    def __str__(self) -> str:
        return self.key
