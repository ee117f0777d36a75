"""What was seen of every server: the last of it in one row, all of it as samples, and what happened as events.

Samples are packed: one row holds all figures of one probe, one node and one moment as 32-bit floats (seven digits) in the order of
a layout, which is stored once for all servers that have it. So a chart reads one narrow row a point, and a row costs four bytes a
figure. `store` and `series` are the only ones that look inside.
"""

from __future__ import annotations

from typing import Any

from django.db import models

from apps.history.deploy_models import DeployToken, MarkTry
from apps.history.setting_models import Setting
from apps.servers.models import Server

__all__ = [
    "DeployToken", "Event", "Held", "LastKnown", "Layout", "Mark", "MarkTry", "Minute", "Quarter", "Raw", "Sample", "Setting", "Shift",
    "Source",
]  # fmt: skip


class LastKnown(models.Model):
    """One row a server, written by the sampler only. `figures` are the newest that could be read, from `figures_at`.

    docs/figures.md tells them all, with their units. Missing means not known. Rates and shares are between the last two samples.
    """

    server = models.OneToOneField(Server, on_delete=models.CASCADE, related_name="last_known")
    tried_at = models.DateTimeField(null=True, db_index=True)  # also the claim of the sampler at work
    figures = models.JSONField(default=dict)
    figures_at = models.DateTimeField(null=True)
    # by node ("" is the first), by probe: when it was asked, its figures, its counters (to make rates)
    raw = models.JSONField(default=dict)
    spark = models.JSONField(default=list)  # the load of the last hour: [second, mean of that minute], oldest first
    forecasts = models.JSONField(default=list)  # what runs into its limit and when: apps.history.forecasts
    failing_since = models.DateTimeField(null=True)
    failed_count = models.PositiveIntegerField(default=0)
    error_kind = models.CharField(max_length=32, blank=True)
    error_text = models.CharField(max_length=400, blank=True)
    since = models.DateTimeField(null=True)  # up since

    def __str__(self) -> str:
        return f"{self.server} {self.tried_at}"


class Source(models.Model):
    """Where samples come from: one probe of one node. Without a server it waits for its samples to be deleted."""

    server = models.ForeignKey(Server, on_delete=models.SET_NULL, null=True)
    node = models.CharField(max_length=300, blank=True)  # empty for the first address
    probe = models.CharField(max_length=64)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["server", "node", "probe"], name="history_source_once")]

    def __str__(self) -> str:
        return f"{self.probe} of {self.server} {self.node}".strip()


class Layout(models.Model):
    """Names of figures in the order in which samples hold them. Never changed; `digest` is the SHA-256 of `names`."""

    digest = models.CharField(max_length=64, unique=True)
    names = models.JSONField(default=list)
    used_s = models.BigIntegerField(default=0)  # when a sample was written with it last, to a day

    def __str__(self) -> str:
        return self.digest[:12]


class Held(models.Model):
    """Which layouts a source had, and when: what tells where a figure is to be found without looking at samples."""

    source = models.ForeignKey(Source, on_delete=models.CASCADE)
    layout = models.ForeignKey(Layout, on_delete=models.CASCADE)
    first_s = models.BigIntegerField()
    last_s = models.BigIntegerField(null=True)  # null: it is the present one

    class Meta:
        constraints = [models.UniqueConstraint(fields=["source", "layout"], name="history_held_once")]

    def __str__(self) -> str:
        return f"{self.source}: {self.layout}"


class Sample(models.Model):
    """One moment of one source. `at_s` is seconds since 1970; in rollups the begin of their window.

    `packed` holds the figures once; in rollups all means, then all leasts, all mosts, and how many samples each stands for.
    """

    pk: Any = models.CompositePrimaryKey("source_id", "at_s")
    source_id = models.BigIntegerField()  # no foreign key: deleting a server must not wait for a million rows
    at_s = models.BigIntegerField()
    layout_id = models.BigIntegerField()
    packed = models.BinaryField()

    class Meta:
        abstract = True

    def __str__(self) -> str:
        return f"{self.source_id} at {self.at_s}"


class Raw(Sample):
    pass


class Minute(Sample):
    pass


class Quarter(Sample):
    """A quarter of an hour."""


class Shift(Sample):
    """Six hours: what a chart of 400 days is drawn from."""


class Mark(models.Model):
    """Up to where a level is rolled up: everything before `until_s` is there."""

    level = models.CharField(max_length=16, unique=True)
    until_s = models.BigIntegerField()

    def __str__(self) -> str:
        return f"{self.level} until {self.until_s}"


class Event(models.Model):
    """Something that happened, to one server or (without one) to all in `environment`, or to the console itself.

    `key` names it once: the same event noted again changes nothing. `ended_at` is for what lasts: a finding, a gap, a run.
    """

    KINDS = ("restart", "failover", "reset", "version", "setting", "deploy", "run", "finding", "down", "gap", "clock")

    server = models.ForeignKey(Server, on_delete=models.CASCADE, null=True, related_name="events")
    environment = models.CharField(max_length=32, blank=True)
    node = models.CharField(max_length=300, blank=True)
    kind = models.CharField(max_length=16)
    signal = models.CharField(max_length=8, blank=True)  # a word of verdict.SIGNALS, for what is good or bad
    words = models.CharField(max_length=400)
    detail = models.JSONField(default=dict)
    key = models.CharField(max_length=160, blank=True)
    url = models.CharField(max_length=400, blank=True)  # within the console, or as a deploy mark gave it
    at = models.DateTimeField(db_index=True)
    ended_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-at", "-pk"]
        constraints = [
            models.UniqueConstraint(fields=["key"], condition=~models.Q(key=""), name="history_event_once"),
        ]
        indexes = [models.Index(fields=["server", "-at"], name="history_event_of_server")]

    def __str__(self) -> str:
        return f"{self.kind} {self.at}: {self.words}"
