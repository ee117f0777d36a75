"""Which files of a backup were handed out: each once for each run that opened it."""

from __future__ import annotations

from django.db import models
from django.utils import timezone


class HandedOut(models.Model):
    """`number` is that of the run that opened the backup, `part` the name of the file."""

    number = models.BigIntegerField()
    part = models.CharField(max_length=60)
    at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = (models.UniqueConstraint(fields=("number", "part"), name="backups_handed_out_once"),)

    def __str__(self) -> str:
        return f"{self.part} by run {self.number}"
