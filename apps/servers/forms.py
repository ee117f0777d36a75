"""The one validation of a registration. The page posts it; servers.toml and the command line fill in the same fields."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from cryptography import x509
from django import forms
from django.conf import settings

from apps.engine.connections.addresses import AddressPolicy
from apps.engine.target import Address, Kind, Profile
from apps.servers import secrets
from apps.servers.models import Server, WorkloadRole
from apps.servers.places import NoAddress, parse_addresses
from apps.servers.registration import Account, Registration, Secret

RESERVED = frozenset({"new", "load", "all"})
TAG = re.compile(r"[a-z0-9][a-z0-9-]{0,31}")
TLS_CHOICES = (
    ("off", "Off"),
    ("system", "On, verify with the system's roots"),
    ("own", "On, verify with a CA of your own"),
)
GB, MINUTE_S = 1000**3, 60


@dataclass(frozen=True, slots=True, kw_only=True)
class ProfileFields:
    """The bound fields of one profile, and what is stored for it, for the page."""

    profile: Profile
    title: str
    username: forms.BoundField
    password: forms.BoundField
    stored: Any


class SecretArea(forms.Textarea):
    """A text that is taken and never given back."""

    def format_value(self, value: Any) -> str | None:
        return None


class ServerForm(forms.Form):
    """`stored` is the server that is edited; `references` allows env: and file: where a secret is asked, and nothing else."""

    kind = forms.ChoiceField(choices=[(k.value, k.value) for k in Kind], initial=Kind.REDIS)
    key = forms.CharField(label="Name", max_length=64)
    addresses = forms.CharField(label="Address", max_length=4000, widget=forms.Textarea(attrs={"rows": 1}))
    database = forms.CharField(max_length=63, required=False)
    environment = forms.ChoiceField(choices=[])
    roles = forms.MultipleChoiceField(
        label="What it is for",
        choices=WorkloadRole.choices,
        required=False,
        widget=forms.CheckboxSelectMultiple,
    )
    tags = forms.CharField(max_length=300, required=False)
    tls = forms.ChoiceField(label="TLS", choices=TLS_CHOICES, initial="off")
    tls_ca = forms.CharField(label="CA", max_length=200_000, required=False, widget=forms.Textarea(attrs={"rows": 3}))
    tls_certificate = forms.CharField(
        label="Client certificate", max_length=50_000, required=False, widget=forms.Textarea(attrs={"rows": 3})
    )
    tls_key = forms.CharField(
        label="Key of the client certificate", max_length=50_000, required=False, widget=SecretArea(attrs={"rows": 3})
    )
    connect_timeout_s = forms.FloatField(label="Connect within", min_value=0.1, max_value=30, initial=2.0)
    read_timeout_s = forms.FloatField(label="Answer within", min_value=0.1, max_value=60, initial=3.0)
    load_budget_percent = forms.FloatField(label="Load budget", min_value=0.1, max_value=50, initial=5.0)
    rpo_minutes = forms.IntegerField(label="May lose", min_value=0, max_value=525_600, required=False)
    rto_minutes = forms.IntegerField(label="May be down", min_value=0, max_value=525_600, required=False)
    disk_gb = forms.FloatField(label="Size of its disk", min_value=0.1, max_value=1_000_000, required=False)
    read_only = forms.BooleanField(label="Looking only", required=False)

    def __init__(
        self,
        data: Mapping[str, Any] | None = None,
        *,
        environments: Iterable[str],
        stored: Server | None = None,
        references: bool = False,
        policy: AddressPolicy | None = None,
        **options: Any,
    ) -> None:
        self.stored, self.references = stored, references
        self.policy = policy or settings.TARGET_POLICY
        super().__init__(data, initial=initial_of(stored) if stored else None, **options)
        choice = self.fields["environment"]
        assert isinstance(choice, forms.ChoiceField)
        choice.choices = [(name, name) for name in environments]
        self._add_profiles()
        if stored is not None:
            self.fields["key"].disabled = self.fields["kind"].disabled = True
        for field in self.fields.values():
            self._dress(field)

    def _add_profiles(self) -> None:
        for profile in Profile:
            self.fields[f"{profile}_username"] = forms.CharField(label="User", max_length=128, required=False)
            self.fields[f"{profile}_password"] = forms.CharField(
                label="Password",
                max_length=4096,
                required=False,
                strip=False,
                widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
            )

    @staticmethod
    def _dress(field: forms.Field) -> None:
        if isinstance(field.widget, forms.TextInput | forms.NumberInput | forms.Textarea | forms.PasswordInput):
            field.widget.attrs["class"] = "form-control"
        if isinstance(field.widget, forms.Textarea | forms.TextInput) and not isinstance(field.widget, SecretArea):
            field.widget.attrs |= {"spellcheck": "false", "autocapitalize": "off"}
        if isinstance(field, forms.FloatField):
            field.widget.attrs["step"] = "any"

    def profiles(self) -> list[ProfileFields]:
        """For the page: one entry a profile, monitor first."""
        stored = {c.profile: c for c in self.stored.credentials.all()} if self.stored else {}
        return [
            ProfileFields(
                profile=profile,
                title=PROFILE_TITLES[profile],
                username=self[f"{profile}_username"],
                password=self[f"{profile}_password"],
                stored=stored.get(profile),
            )
            for profile in Profile
        ]

    @property
    def has_further_accounts(self) -> bool:
        """Whether the page shows the further accounts opened: one is filled in, or has an error."""
        names = [f"{p}_{what}" for p in Profile if p is not Profile.MONITOR for what in ("username", "password")]
        return any(self[name].errors or (self[name].value() and name.endswith("username")) for name in names)

    @property
    def has_limits_errors(self) -> bool:
        names = (
            "tags",
            "connect_timeout_s",
            "read_timeout_s",
            "load_budget_percent",
            "rpo_minutes",
            "rto_minutes",
            "disk_gb",
        )
        return any(self[name].errors for name in names)

    # -- one field ------------------------------------------------------------------------------------------------------

    def clean_key(self) -> str:
        key = str(self.cleaned_data["key"])
        if self.stored is not None:
            return self.stored.key
        if not re.fullmatch(r"[a-z0-9][a-z0-9-]*", key) or key in RESERVED:
            raise forms.ValidationError("Small letters, digits and hyphens, such as orders-cache.")
        if Server.objects.filter(key=key).exists():
            raise forms.ValidationError("There is a server of this name already.")
        return key

    def clean_tags(self) -> tuple[str, ...]:
        words = str(self.cleaned_data["tags"]).replace(",", " ").split()
        if bad := [word for word in words if not TAG.fullmatch(word)]:
            raise forms.ValidationError(
                f"{bad[0][:40]!r}: tags are small letters, digits and hyphens, with spaces between."
            )
        return tuple(dict.fromkeys(words))

    def clean_tls_ca(self) -> str:
        return self._certificates("tls_ca")

    def clean_tls_certificate(self) -> str:
        return self._certificates("tls_certificate")

    def _certificates(self, name: str) -> str:
        pem = str(self.cleaned_data[name]).strip()
        if not pem:
            return ""
        try:
            x509.load_pem_x509_certificates(pem.encode())
        except ValueError:
            raise forms.ValidationError(
                "This is no certificate in PEM, which begins with -----BEGIN CERTIFICATE-----."
            ) from None
        return pem + "\n"

    # -- all together ---------------------------------------------------------------------------------------------------

    def clean(self) -> dict[str, Any]:
        data = self.cleaned_data
        kind = Kind(data.get("kind") or Kind.REDIS)
        self._clean_addresses(data, kind)
        self._clean_database(data, kind)
        self._clean_tls(data)
        for profile in Profile:
            self._clean_profile(data, profile, kind)
        if not self.errors and self.stored is not None:
            self._ask_again(data)
        return data

    def _clean_addresses(self, data: dict[str, Any], kind: Kind) -> None:
        if "addresses" not in data:
            return
        text = str(data["addresses"])
        try:
            data["addresses"] = parse_addresses(text, kind, self.policy)
        except NoAddress as error:
            self.add_error("addresses", str(error))
            if "@" in text or "=" in text:  # it may hold a password, which is never sent back
                self.data = self._without("addresses")

    def _without(self, name: str) -> dict[str, Any]:
        """What was typed, but for one field."""
        several = ("roles",)
        typed = {
            each: self[each].value() if each in several else self.data.get(each)
            for each in self.fields
            if each in self.data
        }
        return typed | {name: ""}

    def _clean_database(self, data: dict[str, Any], kind: Kind) -> None:
        database = str(data.get("database", ""))
        if kind == Kind.REDIS and database and not (database.isascii() and database.isdigit()):
            self.add_error("database", "The databases of a Redis are numbers; empty means 0.")
        elif "=" in database or "://" in database or not database.isprintable():
            self.add_error("database", "Write the name of the database only.")
        elif database == "0" and kind == Kind.REDIS:
            data["database"] = ""

    def _clean_tls(self, data: dict[str, Any]) -> None:
        if data.get("tls") == "own" and not data.get("tls_ca") and "tls_ca" not in self.errors:
            self.add_error("tls_ca", "Paste the certificate of your CA.")
        if data.get("tls") != "own":
            data["tls_ca"] = ""
        if data.get("tls") == "off":
            data["tls_certificate"] = data["tls_key"] = ""
        has_key = data.get("tls_key") or (self.stored is not None and self.stored.tls_key)
        if bool(data.get("tls_certificate")) != bool(has_key) and "tls_certificate" not in self.errors:
            if data.get("tls_certificate"):
                self.add_error("tls_key", "A client certificate needs its key.")
            elif data.get("tls_key"):
                self.add_error("tls_certificate", "A key needs its client certificate.")
        self._check_secret("tls_key", data.get("tls_key") or "")

    def _clean_profile(self, data: dict[str, Any], profile: Profile, kind: Kind) -> None:
        username, password = f"{profile}_username", f"{profile}_password"
        if re.search(r"[\s\0]", str(data.get(username, ""))) and kind == Kind.REDIS:
            self.add_error(username, "A user of a Redis has no space in its name.")
        is_needed = profile is Profile.MONITOR and kind == Kind.POSTGRES
        if (is_needed or (data.get(password) and kind == Kind.POSTGRES)) and not data.get(username):
            self.add_error(username, "A PostgreSQL asks for a user.")
        self._check_secret(password, data.get(password) or "")

    def _check_secret(self, name: str, text: str) -> None:
        if self.references and text and not secrets.is_reference(text):
            self.add_error(name, "Write where it is kept, not the secret: env:NAME or file:/path.")

    def _ask_again(self, data: dict[str, Any]) -> None:
        """A password that was given for one address is never sent to another."""
        assert self.stored is not None
        if not self.registration().is_elsewhere(self.stored):
            return
        for credential in self.stored.credentials.exclude(secret=""):
            name = f"{credential.profile}_password"
            if not data.get(name) and (
                data.get(f"{credential.profile}_username") or credential.profile == Profile.MONITOR
            ):
                self.add_error(name, "The address, database or TLS changed: enter the password again.")
        if self.stored.tls_key and data.get("tls_certificate") and not data.get("tls_key"):
            self.add_error("tls_key", "The address, database or TLS changed: enter the key again.")

    # -- the outcome ----------------------------------------------------------------------------------------------------

    def registration(self) -> Registration:
        """What was asked for, typed. Only after is_valid()."""
        data = self.cleaned_data
        return Registration(
            key=data["key"],
            kind=Kind(data["kind"]),
            environment=data["environment"],
            addresses=data["addresses"],
            database=data["database"],
            roles=tuple(data["roles"]),
            tags=data["tags"],
            tls=data["tls"] != "off",
            tls_ca=data["tls_ca"],
            tls_certificate=data["tls_certificate"],
            client_key=self._secret("tls_key"),
            accounts=tuple(self._accounts()),
            connect_timeout_s=data["connect_timeout_s"],
            read_timeout_s=data["read_timeout_s"],
            load_budget_ratio=data["load_budget_percent"] / 100,
            rpo_s=_times(data["rpo_minutes"], MINUTE_S),
            rto_s=_times(data["rto_minutes"], MINUTE_S),
            disk_bytes=_times(data["disk_gb"], GB),
            read_only=data["read_only"],
        )

    def _accounts(self) -> Iterable[Account]:
        """Monitor always; the others where a user or a password was given."""
        for profile in Profile:
            username, password = self.cleaned_data[f"{profile}_username"], self._secret(f"{profile}_password")
            if profile is Profile.MONITOR or username or password:
                yield Account(profile=profile, username=username, password=password)

    def _secret(self, name: str) -> Secret | None:
        text = self.cleaned_data[name]
        return Secret(text=text, is_reference=self.references) if text else None


PROFILE_TITLES = {
    Profile.MONITOR: "Looks",
    Profile.OPERATE: "Changes keys, ends clients and sessions",
    Profile.ADMIN: "Changes users and settings",
    Profile.BACKUP: "Takes backups",
}


def _times(value: float | None, factor: int) -> int | None:
    return None if value is None else round(value * factor)


def initial_of(server: Server) -> dict[str, Any]:
    """What a form of this server shows: everything but its secrets."""
    fields: dict[str, Any] = {
        "kind": server.kind,
        "key": server.key,
        "addresses": "\n".join(written(address) for address in server.address_list()),
        "database": server.database,
        "environment": server.environment,
        "roles": server.roles,
        "tags": " ".join(server.tags),
        "tls": "off" if not server.tls else "own" if server.tls_ca else "system",
        "tls_ca": server.tls_ca,
        "tls_certificate": server.tls_certificate,
        "connect_timeout_s": server.connect_timeout_s,
        "read_timeout_s": server.read_timeout_s,
        "load_budget_percent": round(server.load_budget_ratio * 100, 2),
        "rpo_minutes": None if server.rpo_s is None else server.rpo_s // MINUTE_S,
        "rto_minutes": None if server.rto_s is None else server.rto_s // MINUTE_S,
        "disk_gb": None if server.disk_bytes is None else round(server.disk_bytes / GB, 2),
        "read_only": server.read_only,
    }
    return fields | {f"{c.profile}_username": c.username for c in server.credentials.all()}


def written(address: Address) -> str:
    """An address as the form takes it back: with its port, sockets too."""
    return f"{address.host}:{address.port}" if address.is_socket else str(address)


class RemovalForm(forms.Form):
    """Removing asks for the name, typed."""

    typed = forms.CharField(
        label="Type its name",
        max_length=64,
        widget=forms.TextInput(attrs={"class": "form-control mono", "autocomplete": "off"}),
    )

    def __init__(self, server: Server, data: Mapping[str, Any] | None = None) -> None:
        super().__init__(data)
        self.server = server

    def clean_typed(self) -> str:
        typed = str(self.cleaned_data["typed"])
        if typed != self.server.key:
            raise forms.ValidationError(f"This is not its name. Type {self.server.key}.")
        return typed
