"""Operators and what they were granted. Accounts knows no server: a scope is a kind and a key, both text."""

from __future__ import annotations

from typing import Any, ClassVar

from django.contrib.auth.models import AbstractBaseUser, BaseUserManager
from django.db import models
from django.db.models import Q
from django.utils import timezone


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


class Assignments(models.QuerySet["Assignment"]):
    def in_force(self) -> Assignments:
        now = timezone.now()
        return self.filter(Q(expires_at=None) | Q(expires_at__gt=now), revoked_at=None)


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
