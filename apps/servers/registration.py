"""One server as somebody wants it registered, whoever says so: the form, servers.toml or the command line."""

from __future__ import annotations

from dataclasses import dataclass, field

from django.conf import settings
from django.db import transaction

from apps.accounts import events
from apps.accounts.access import Place
from apps.engine.connections import postgres, redis
from apps.engine.errors import SecretUnusable
from apps.engine.target import TLS, Address, Kind, Profile, Target
from apps.servers import secrets
from apps.servers.models import Credential, Server


@dataclass(frozen=True, slots=True, kw_only=True)
class Secret:
    """A password or key as it was given: its text, or the reference that leads to it."""

    text: str = field(repr=False)
    is_reference: bool = False

    def value(self) -> str:
        """Errors: SecretUnusable where the reference leads nowhere."""
        return secrets.follow(self.text) if self.is_reference else self.text


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """Who a profile signs in as. `password` None keeps the stored one."""

    profile: Profile
    username: str
    password: Secret | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Registration:
    """All that is registered of one server, checked. Made by forms.ServerForm only. `client_key` None keeps the stored one."""

    key: str
    kind: Kind
    environment: str
    addresses: tuple[Address, ...]
    database: str
    roles: tuple[str, ...]
    tags: tuple[str, ...]
    tls: bool
    tls_ca: str
    tls_certificate: str
    client_key: Secret | None
    accounts: tuple[Account, ...]
    connect_timeout_s: float
    read_timeout_s: float
    load_budget_ratio: float
    rpo_s: int | None
    rto_s: int | None
    disk_bytes: int | None
    read_only: bool

    @property
    def place(self) -> Place:
        return Place(environment=self.environment, key=self.key, tags=frozenset(self.tags))

    def target(self, profile: Profile = Profile.MONITOR, *, stored: Server | None = None) -> Target:
        """What would be connected to, with what is stored where nothing new was given. Errors: SecretUnusable."""
        account = next(a for a in self.accounts if a.profile == profile)
        return Target(
            id=self.key,
            name=self.key,
            kind=self.kind,
            addresses=self.addresses,
            database=self.database,
            username=account.username,
            password=_value(account.password, _stored_password(stored, profile)),
            profile=profile,
            tls=TLS(ca=self.tls_ca, certificate=self.tls_certificate, key=self._key(stored)) if self.tls else None,
            connect_timeout_s=self.connect_timeout_s,
            read_timeout_s=self.read_timeout_s,
            policy=settings.TARGET_POLICY,
        )

    def _key(self, stored: Server | None) -> str:
        if self.client_key is not None:
            return self.client_key.value()
        return stored.client_key() if stored and stored.tls_key else ""

    def is_elsewhere(self, stored: Server) -> bool:
        """Whether stored passwords would reach another place, or another kind of channel, than they were given for."""
        return (
            set(self.addresses) != set(stored.address_list())
            or (self.database, self.tls, self.tls_ca) != (stored.database, stored.tls, stored.tls_ca)
            or self.kind != stored.kind
        )


def _value(given: Secret | None, stored: Credential | None) -> str:
    if given is not None:
        return given.value()
    return stored.password() if stored else ""


def _stored_password(stored: Server | None, profile: Profile) -> Credential | None:
    return stored.credentials.filter(profile=profile).first() if stored else None


_PLAIN = (
    "kind", "environment", "database", "tls", "tls_ca", "tls_certificate", "connect_timeout_s", "read_timeout_s",
    "load_budget_ratio", "rpo_s", "rto_s", "disk_bytes", "read_only",
)  # fmt: skip


def save(registration: Registration, *, by: str, stored: Server | None = None, declared: bool = False) -> Server:
    """Register or change a server, its accounts and secrets, in one transaction.

    Secrets that were not given anew stay as they are; profiles that are not named are forgotten.
    Errors: SecretUnusable where nothing new was given and the server moved elsewhere.
    """
    if stored is not None and registration.is_elsewhere(stored):
        _refuse_to_move_secrets(registration, stored)
    with transaction.atomic():
        server = stored or Server(key=registration.key, created_by=by[:64])
        for name in _PLAIN:
            setattr(server, name, getattr(registration, name))
        server.addresses = [{"host": a.host, "port": a.port} for a in registration.addresses]
        server.roles, server.tags = list(registration.roles), list(registration.tags)
        server.declared = declared
        server.save()
        _save_secrets(registration, server)
        _tell("server.change" if stored else "server.register", server, by=by)
    redis.forget_connections()
    postgres.forget_connections()
    return server


def remove(server: Server, *, by: str) -> None:
    """Forget a server, its secrets and its figures. What was done on it stays in the audit and among the runs."""
    with transaction.atomic():
        _tell("server.remove", server, by=by)
        server.delete()


def _tell(action: str, server: Server, *, by: str) -> None:
    """Where it points to, with which accounts; never a secret."""
    accounts = dict(Credential.objects.filter(server=server).values_list("profile", "username"))
    facts = {"addresses": [str(a) for a in server.address_list()], "tls": bool(server.tls), "accounts": accounts}
    events.tell(
        events.Kind.CHANGE, action, actor=by, server_key=server.key, environment=server.environment, facts=facts
    )


def _refuse_to_move_secrets(registration: Registration, stored: Server) -> None:
    kept = [a.profile for a in registration.accounts if a.password is None]
    if stored.credentials.filter(profile__in=kept).exclude(secret="").exists() or (
        stored.tls_key and registration.tls and registration.client_key is None and registration.tls_certificate
    ):
        raise SecretUnusable("A stored password is never sent to another address.", way_out=secrets.AGAIN)


def _save_secrets(registration: Registration, server: Server) -> None:
    if not registration.tls or not registration.tls_certificate:
        server.keep_client_key("")
        server.save(update_fields=["tls_key", "tls_key_is_reference"])
    elif registration.client_key is not None:
        server.keep_client_key(registration.client_key.text, is_reference=registration.client_key.is_reference)
        server.save(update_fields=["tls_key", "tls_key_is_reference"])
    server.credentials.exclude(profile__in=[a.profile for a in registration.accounts]).delete()
    for account in registration.accounts:
        _save_account(account, server)


def _save_account(account: Account, server: Server) -> None:
    if account.password is None:
        Credential.objects.update_or_create(
            server=server, profile=account.profile, defaults={"username": account.username}
        )
        return
    Credential.objects.keep(
        server,
        account.profile,
        username=account.username,
        password=account.password.text,
        is_reference=account.password.is_reference,
    )
