"""What was seen last of every server: the figures, when, and since when it has been failing."""

from __future__ import annotations

from django.db import models

from apps.servers.models import Server


class LastKnown(models.Model):
    """One row a server, written by the sampler only. `figures` are the newest that could be read, from `figures_at`.

    figures of a Redis: product, version, role, used_memory_bytes, maxmemory_bytes, eviction, ops_per_s, hit_ratio, clients_count,
    clients_max_count, keys_count, latency_s, connected_replicas_count, replica_lag_s, link, save_status, append_status; of a
    PostgreSQL: product, version, role, size_bytes, size_unseen_count, tx_per_s, hit_ratio, clients_count, clients_max_count,
    latency_s, longest_transaction_s, waiting_count, longest_wait_s, connected_replicas_count, replica_lag_s,
    transaction_age_count, archive_status. Missing means not known. Rates and shares are between the last two samples.
    """

    server = models.OneToOneField(Server, on_delete=models.CASCADE, related_name="last_known")
    tried_at = models.DateTimeField(null=True, db_index=True)  # also the claim of the sampler at work
    figures = models.JSONField(default=dict)
    figures_at = models.DateTimeField(null=True)
    raw = models.JSONField(default=dict)  # by probe: when it was asked, its figures, its counters (to make rates)
    failing_since = models.DateTimeField(null=True)
    failed_count = models.PositiveIntegerField(default=0)
    error_kind = models.CharField(max_length=32, blank=True)
    error_text = models.CharField(max_length=400, blank=True)
    since = models.DateTimeField(null=True)  # up since

    def __str__(self) -> str:
        return f"{self.server} {self.tried_at}"
