"""Where the originals of a run are kept, and until when."""

from __future__ import annotations

from django.db import models
from django.utils import timezone

from apps.operations.models.runs import Run


class StoredArchive(models.Model):
    """One encrypted file a run. `records_count` and `settled_count` are those of the file; `dropped_at` once it was deleted."""

    run = models.OneToOneField(Run, on_delete=models.PROTECT, related_name="archive")
    server_key = models.CharField(max_length=64, db_index=True)
    name = models.CharField(max_length=120)
    size_bytes = models.BigIntegerField(default=0)
    records_count = models.BigIntegerField(default=0)
    settled_count = models.BigIntegerField(default=0)
    created_at = models.DateTimeField(default=timezone.now)
    expires_at = models.DateTimeField(db_index=True)
    closed_at = models.DateTimeField(null=True)
    dropped_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ("-created_at",)

    def __str__(self) -> str:
        return self.name

    @property
    def is_there(self) -> bool:
        return self.dropped_at is None and self.expires_at > timezone.now()
