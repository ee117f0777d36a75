"""The registered servers and their encrypted credentials. `Server.target()` is the only bridge to the engine."""

from __future__ import annotations

from django.conf import settings
from django.core.validators import RegexValidator
from django.db import models
from django.utils import timezone

from apps.accounts.access import Place
from apps.engine.target import TLS, Address, Kind, Profile, Target


class WorkloadRole(models.TextChoices):
    CACHE = "cache"
    SESSION = "session"
    QUEUE = "queue"
    STREAM = "stream"
    PUBSUB = "pubsub"
    LOCK = "lock"
    PRIMARY = "primary"


class Server(models.Model):
    """One deployment: a Redis or a PostgreSQL with one or more addresses, in one environment.

    `key` is the short name used in URLs, scopes and servers.toml. Times are seconds.
    """

    key = models.CharField(max_length=64, unique=True, validators=[RegexValidator(r"^[a-z0-9][a-z0-9-]*$")])
    kind = models.CharField(max_length=16, choices=[(k.value, k.value) for k in Kind])
    environment = models.CharField(max_length=32)
    addresses = models.JSONField(default=list)  # [{"host": "...", "port": 6379}], the first is asked first
    database = models.CharField(max_length=63, blank=True)
    roles = models.JSONField(default=list, blank=True)  # WorkloadRole values
    tags = models.JSONField(default=list, blank=True)
    tls = models.BooleanField(default=False)
    tls_ca = models.TextField(blank=True)
    tls_certificate = models.TextField(blank=True)
    connect_timeout_s = models.FloatField(default=2.0)
    read_timeout_s = models.FloatField(default=3.0)
    load_budget_ratio = models.FloatField(default=0.05)
    rpo_s = models.PositiveIntegerField(null=True, blank=True)
    rto_s = models.PositiveIntegerField(null=True, blank=True)
    disk_bytes = models.BigIntegerField(null=True, blank=True)
    read_only = models.BooleanField(default=False)
    is_demo = models.BooleanField(default=False)
    declared = models.BooleanField(default=False)  # from servers.toml: not editable by form
    capabilities = models.JSONField(default=dict, blank=True)
    probed_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(default=timezone.now)
    created_by = models.CharField(max_length=64, blank=True)

    class Meta:
        ordering = ("key",)

    def __str__(self) -> str:
        return self.key

    @property
    def place(self) -> Place:
        return Place(environment=self.environment, key=self.key, tags=frozenset(self.tags))

    @property
    def is_redis(self) -> bool:
        return self.kind == Kind.REDIS

    def address_list(self) -> tuple[Address, ...]:
        return tuple(Address(host=a["host"], port=int(a["port"])) for a in self.addresses)

    def target(self, profile: Profile = Profile.MONITOR) -> Target:
        """What the engine needs, secrets opened. Errors: SecretUnusable when the stored secret belongs elsewhere."""
        credential = self.credential(profile)
        return Target(
            id=self.key,
            name=self.key,
            kind=Kind(self.kind),
            addresses=self.address_list(),
            database=self.database,
            username=credential.username if credential else "",
            password=credential.password() if credential else "",
            profile=profile,
            tls=TLS(ca=self.tls_ca, certificate=self.tls_certificate, key="") if self.tls else None,
            connect_timeout_s=self.connect_timeout_s,
            read_timeout_s=self.read_timeout_s,
            policy=settings.TARGET_POLICY,
        )

    def credential(self, profile: Profile) -> Credential | None:
        """The account of a profile, or that of monitor where one serves all."""
        by_profile = {c.profile: c for c in self.credentials.all()}
        return by_profile.get(profile) or by_profile.get(Profile.MONITOR)


class Credential(models.Model):
    """The account of one profile. `secret` is a sealed box bound to this row and to the server's addresses."""

    server = models.ForeignKey(Server, on_delete=models.CASCADE, related_name="credentials")
    profile = models.CharField(max_length=16, choices=[(p.value, p.value) for p in Profile], default=Profile.MONITOR)
    username = models.CharField(max_length=128, blank=True)
    secret = models.TextField(blank=True)
    set_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["server", "profile"], name="one_credential_per_profile")]

    def __str__(self) -> str:
        return f"{self.server} {self.profile}"

    def password(self) -> str:
        return self.secret
