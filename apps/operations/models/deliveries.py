"""What has to reach people: an outbox row in the transaction of the event, and a note on the pages of whom it concerns."""

from __future__ import annotations

import uuid

from django.conf import settings
from django.db import models
from django.utils import timezone


class MessageState(models.TextChoices):
    WAITING = "waiting"
    HANDED = "handed"  # to the notifier's queue
    DELIVERING = "delivering"  # a notifier is at it
    DELIVERED = "delivered"
    GIVEN_UP = "given up"


class Message(models.Model):
    """One event for one place: an e-mail address, or what may be seen of a webhook. `payload` is JSON without secrets and without
    names of keys. `operator` is whom an e-mail is for; `uid` is the same at every try.
    """

    uid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    operator = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, null=True, related_name="+")
    event = models.CharField(max_length=32)
    channel = models.CharField(max_length=16)  # email, webhook
    place = models.CharField(max_length=300)
    payload = models.JSONField()
    state = models.CharField(max_length=16, choices=MessageState.choices, default=MessageState.WAITING)
    tries_count = models.PositiveSmallIntegerField(default=0)
    created_at = models.DateTimeField(default=timezone.now)
    next_at = models.DateTimeField(default=timezone.now)
    delivered_at = models.DateTimeField(null=True)
    error = models.CharField(max_length=300, blank=True)

    class Meta:
        ordering = ("-pk",)
        indexes = [models.Index(fields=["state", "next_at"])]

    def __str__(self) -> str:
        return f"{self.event} to {self.place}"


class Notice(models.Model):
    """A toast: what happened while somebody looked elsewhere. Gone once it was seen, or after a day."""

    operator = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="notices")
    signal = models.CharField(max_length=8)
    words = models.CharField(max_length=200)
    url = models.CharField(max_length=200)
    server_key = models.CharField(max_length=64, blank=True)
    at = models.DateTimeField(default=timezone.now)
    seen_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ("-pk",)
        indexes = [models.Index(fields=["operator", "seen_at"])]

    def __str__(self) -> str:
        return self.words
