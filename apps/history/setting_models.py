"""What every server was set to when it was looked at last."""

from __future__ import annotations

from django.db import models

from apps.servers.models import Server


class Setting(models.Model):
    """One setting of one node, as a probe told it of a version. `value` is `not set` where the probe tells it no more.

    `former` is null while it was never seen to change; then `since` is when it was first seen. A change lies between two looks:
    after `since_after`, not later than `since`.
    """

    server = models.ForeignKey(Server, on_delete=models.CASCADE, related_name="settings")
    node = models.CharField(max_length=300, blank=True)
    probe = models.CharField(max_length=64)
    version = models.CharField(max_length=80, blank=True)
    name = models.CharField(max_length=128)
    value = models.CharField(max_length=1000, blank=True)
    former = models.CharField(max_length=1000, blank=True, null=True)  # noqa: DJ001 - empty is a value too
    since = models.DateTimeField()
    since_after = models.DateTimeField(null=True)

    class Meta:
        ordering = ["server", "node", "name"]
        constraints = [models.UniqueConstraint(fields=["server", "node", "probe", "name"], name="history_setting_once")]
        indexes = [models.Index(fields=["server", "-since"], name="history_setting_by_time")]

    def __str__(self) -> str:
        return f"{self.name} of {self.server}: {self.value}"
