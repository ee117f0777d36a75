"""The registered servers and their sealed credentials. `Server.target()` is the only bridge to the engine."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from django.conf import settings
from django.core.validators import RegexValidator
from django.db import models
from django.utils import timezone

from apps.accounts.access import Place
from apps.accounts.rows import rows
from apps.engine.errors import SecretUnusable
from apps.engine.secretbox import kid_of
from apps.engine.target import TLS, Address, Kind, Profile, Target
from apps.servers import secrets
from apps.servers.capabilities import Capability, capability_of


class WorkloadRole(models.TextChoices):
    CACHE = "cache"
    SESSION = "session"
    QUEUE = "queue"
    STREAM = "stream"
    PUBSUB = "pubsub"
    LOCK = "lock"
    PRIMARY = "primary"


class Servers(models.Manager["Server"]):
    def to_show(self) -> list[Server]:
        """Every server, without its credentials. Cost: one query."""
        return rows(Server, "SELECT * FROM servers_server")

    def to_ask(self, key: str) -> Server | None:
        """One server with its credentials, with which every page about a server begins. Cost: two queries."""
        server = next(iter(rows(Server, "SELECT * FROM servers_server WHERE key = %s", [key])), None)
        if server is not None:
            self.with_credentials(server)
        return server

    def with_credentials(self, server: Server) -> None:
        """Make a server ready to be asked. Cost: one query."""
        _prefetched(server, rows(Credential, "SELECT * FROM servers_credential WHERE server_id = %s", [server.pk]))

    def all_to_ask(self) -> list[Server]:
        """Every server with its credentials, by key. Cost: two queries, whatever their number."""
        servers = sorted(self.to_show(), key=lambda server: server.key)
        self.with_all_credentials(servers)
        return servers

    def with_all_credentials(self, servers: Iterable[Server]) -> None:
        """Make many servers ready to be asked. Cost: one query, whatever their number."""
        accounts: dict[int, list[Credential]] = {}
        for credential in rows(Credential, "SELECT * FROM servers_credential"):
            accounts.setdefault(credential.server_id, []).append(credential)
        for server in servers:
            _prefetched(server, accounts.get(server.pk, []))


def _prefetched(server: Server, found: list[Credential]) -> None:
    """As prefetch_related leaves it, so that nobody has to know how the credentials were read."""
    for credential in found:
        credential.server = server
    credentials = server.credentials.all()
    credentials._result_cache = found
    server._prefetched_objects_cache = {"credentials": credentials}  # type: ignore[attr-defined]


class Server(models.Model):
    """One deployment: a Redis or a PostgreSQL with one or more addresses, in one environment.

    `key` is the short name used in URLs, scopes and servers.toml. Times are seconds.
    """

    key = models.CharField(max_length=64, unique=True, validators=[RegexValidator(r"\A[a-z0-9][a-z0-9-]*\Z")])
    kind = models.CharField(max_length=16, choices=[(k.value, k.value) for k in Kind])
    environment = models.CharField(max_length=32)
    addresses = models.JSONField(default=list)  # [{"host": "...", "port": 6379}], the first is asked first
    database = models.CharField(max_length=63, blank=True)
    roles = models.JSONField(default=list, blank=True)  # WorkloadRole values
    tags = models.JSONField(default=list, blank=True)
    tls = models.BooleanField(default=False)
    tls_ca = models.TextField(blank=True)
    tls_certificate = models.TextField(blank=True)
    tls_key = models.TextField(blank=True)  # sealed, like Credential.secret
    tls_key_is_reference = models.BooleanField(default=False)
    connect_timeout_s = models.FloatField(default=2.0)
    read_timeout_s = models.FloatField(default=3.0)
    load_budget_ratio = models.FloatField(default=0.05)
    rpo_s = models.PositiveIntegerField(null=True, blank=True)
    rto_s = models.PositiveIntegerField(null=True, blank=True)
    disk_bytes = models.BigIntegerField(null=True, blank=True)
    read_only = models.BooleanField(default=False)
    is_demo = models.BooleanField(default=False)
    declared = models.BooleanField(default=False)  # from servers.toml: not editable by form
    capabilities = models.JSONField(default=dict, blank=True)  # {profile: {feature: {"ok", "missing", "reason"}}}
    probed_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(default=timezone.now)
    created_by = models.CharField(max_length=64, blank=True)

    objects = Servers()

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
        accounts = self._accounts()
        credential = accounts.get(profile) or accounts.get(Profile.MONITOR)
        return Target(
            id=self.key,
            name=self.key,
            kind=Kind(self.kind),
            addresses=self.address_list(),
            database=self.database,
            username=credential.username if credential else "",
            password=credential.password() if credential else "",
            profile=profile,
            accounts=tuple(sorted({each.username for each in accounts.values()})),
            tls=TLS(ca=self.tls_ca, certificate=self.tls_certificate, key=self.client_key()) if self.tls else None,
            connect_timeout_s=self.connect_timeout_s,
            read_timeout_s=self.read_timeout_s,
            policy=settings.TARGET_POLICY,
        )

    def credential(self, profile: Profile) -> Credential | None:
        """The account of a profile, or that of monitor where one serves all."""
        accounts = self._accounts()
        return accounts.get(profile) or accounts.get(Profile.MONITOR)

    def _accounts(self) -> dict[str, Credential]:
        """By profile. Cost: one query, unless they were read before."""
        return {credential.profile: credential for credential in self.credentials.all()}

    def capability(self, feature: str, profile: Profile = Profile.MONITOR) -> Capability | None:
        """What the last probe found for one feature, or None when nothing is known: then a page just tries."""
        return capability_of(self.kind, self.capabilities, feature, profile)

    def client_key(self) -> str:
        """The private key of the client certificate. Errors: SecretUnusable."""
        text = secrets.open_sealed(self.tls_key, self.key_context()) if self.tls_key else ""
        return secrets.follow(text) if text and self.tls_key_is_reference else text

    def keep_client_key(self, text: str, *, is_reference: bool = False) -> None:
        """Seal the key to this row and its addresses. The row has to be saved already, and saved again by the caller."""
        self.tls_key = secrets.box().seal(text, self.key_context()) if text else ""
        self.tls_key_is_reference = bool(text) and is_reference

    def kept_key_reference(self) -> str | None:
        """Where the client key is kept, as it was written; empty without one, None for a key that is kept here or unusable."""
        return _reference(self.tls_key, self.key_context(), is_reference=self.tls_key_is_reference)

    def key_context(self) -> str:
        return secrets.bound_to(f"servers.Server:{self.pk}:tls_key", self.address_list(), self.database)


class Credentials(models.Manager["Credential"]):
    def keep(
        self, server: Server, profile: Profile, *, username: str, password: str, is_reference: bool = False
    ) -> Credential:
        """Make or replace the account of a profile; the password is sealed to the server's present addresses."""
        credential, _ = self.get_or_create(server=server, profile=profile)
        credential.server = server
        credential.username = username
        credential.secret = secrets.box().seal(password, credential.context()) if password else ""
        credential.is_reference = bool(password) and is_reference
        credential.set_at = timezone.now()
        credential.save()
        return credential


class Credential(models.Model):
    """The account of one profile. `secret` is a sealed box bound to this row and to the server's addresses."""

    server = models.ForeignKey(Server, on_delete=models.CASCADE, related_name="credentials")
    profile = models.CharField(max_length=16, choices=[(p.value, p.value) for p in Profile], default=Profile.MONITOR)
    username = models.CharField(max_length=128, blank=True)
    secret = models.TextField(blank=True)
    is_reference = models.BooleanField(default=False)  # the sealed text is env:NAME or file:/path
    set_at = models.DateTimeField(default=timezone.now)

    objects = Credentials()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["server", "profile"], name="one_credential_per_profile")]

    def __str__(self) -> str:
        return f"{self.server} {self.profile}"

    def password(self) -> str:
        """The password, read where it is kept. Errors: SecretUnusable when its address, row or key is another."""
        text = secrets.open_sealed(self.secret, self.context()) if self.secret else ""
        return secrets.follow(text) if text and self.is_reference else text

    def context(self) -> str:
        row = f"servers.Credential:{self.pk}:secret"
        return secrets.bound_to(row, self.server.address_list(), self.server.database)

    def kept_reference(self) -> str | None:
        """Where the password is kept, as it was written; empty without one, None for one that is kept here or unusable."""
        return _reference(self.secret, self.context(), is_reference=self.is_reference)

    @property
    def key_id(self) -> str:
        """The name of the key it is sealed with; empty without a password."""
        return kid_of(self.secret) if self.secret else ""

    @property
    def problem(self) -> SecretUnusable | None:
        """Why the stored password cannot be used, or None."""
        try:
            self.password()
        except SecretUnusable as error:
            return error
        return None


def _reference(sealed: str, context: str, *, is_reference: bool) -> str | None:
    if not sealed:
        return ""
    try:
        return secrets.open_sealed(sealed, context) if is_reference else None
    except SecretUnusable:
        return None


class ConnectionTry(models.Model):
    """One press of "Try the connection": who, what, and how it went. Twenty an hour each; kept for a month."""

    operator = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    tried_at = models.DateTimeField(default=timezone.now)
    kind = models.CharField(max_length=16)
    address = models.CharField(max_length=300)
    outcome = models.CharField(max_length=32, default="started")  # ok, or the kind of an EngineError

    class Meta:
        indexes = [models.Index(fields=["operator", "tried_at"])]

    def __str__(self) -> str:
        return f"{self.operator} {self.address} {self.outcome}"


def stored_capabilities(server: Server, found: Mapping[str, Mapping[str, Any]], at: datetime) -> None:
    """Write what a probe found, without touching anything else of the row."""
    server.capabilities, server.probed_at = {**server.capabilities, **found}, at
    Server.objects.filter(pk=server.pk).update(capabilities=server.capabilities, probed_at=at)
