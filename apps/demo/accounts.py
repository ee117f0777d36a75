"""The accounts of the demo's servers, the console's own among them with no more than reading needs."""

from __future__ import annotations

import psycopg
from psycopg import sql
from redis import Redis

from apps.demo.places import Servers
from apps.engine.target import Kind, Profile
from apps.servers.capabilities import account_features


def account_of(profile: Profile) -> str:
    """The console's account for a profile, on both of the demo's servers."""
    return "signalbox" if profile is Profile.MONITOR else f"signalbox_{profile}"


def console_rules(version: tuple[int, int], profile: Profile) -> list[str]:
    """What docs/permissions.md asks for this profile on a Redis of this version, and nothing else."""
    wanted = [f for f in account_features(Kind.REDIS, profile) if f.since <= version]
    return list(dict.fromkeys(rule for feature in wanted for rule in feature.rules(version)))


def redis_accounts(admin: Redis, passwords: dict[str, str], version: tuple[int, int]) -> None:
    """Named users with rights of different width, one that is off, and `default` left open on the private socket."""
    for profile in Profile:
        rules = console_rules(version, profile)
        _user(admin, account_of(profile), passwords["signalbox"], "resetchannels", "-@all", *rules)
    _user(
        admin, "app-web", passwords["app-web"], "~cart:*", "~session:*", "~page:*", "+@read", "+@write", "+@connection"
    )
    _user(
        admin,
        "app-worker",
        passwords["app-worker"],
        "~*",
        "&*",
        "+@all",
        "-@dangerous",
        "+info",
        "+client|setname",
        "+client|list",
        "+keys",
    )
    _user(
        admin,
        "reporting",
        passwords["reporting"],
        "~newsletter:*",
        "~catalog:*",
        "~ranking:*",
        "~audit:*",
        "+@read",
        "+@connection",
    )
    admin.execute_command("ACL", "SETUSER", "migration-2024", "reset", "off", "nopass", "allkeys", "+@all")


def _user(admin: Redis, name: str, password: str, *rules: str) -> None:
    admin.execute_command("ACL", "SETUSER", name, "reset", "on", f">{password}", *rules)


def postgres_accounts(admin: psycopg.Connection[tuple[object, ...]], passwords: dict[str, str]) -> None:
    """The console's account with pg_monitor, the shop's with its tables, and a few that an auditor would ask about."""
    _role(admin, "shop", "LOGIN", password=passwords["shop"])
    for profile in Profile:
        _role(admin, account_of(profile), "LOGIN", password=passwords["signalbox"])
        admin.execute(sql.SQL("GRANT pg_monitor TO {}").format(sql.Identifier(account_of(profile))))
    for role, attributes in (
        ("shop_owner", "NOLOGIN"),
        ("reporting", "NOLOGIN"),
        ("contractor", "LOGIN VALID UNTIL '2026-01-31'"),
    ):
        _role(admin, role, attributes)
    admin.execute(
        "GRANT pg_signal_backend, shop, shop_owner TO signalbox_operate"
    )  # before 17 only its owner maintains a table
    admin.execute("GRANT pg_read_all_data TO signalbox_backup")
    admin.execute("GRANT reporting TO contractor")
    admin.execute("ALTER ROLE signalbox SET default_transaction_read_only = on")


def _role(admin: psycopg.Connection[tuple[object, ...]], name: str, attributes: str, *, password: str = "") -> None:
    if admin.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [name]).fetchone() is None:
        admin.execute(sql.SQL("CREATE ROLE {} " + attributes).format(sql.Identifier(name)))
    if password:
        admin.execute(sql.SQL("ALTER ROLE {} PASSWORD {}").format(sql.Identifier(name), sql.Literal(password)))


def admin_of_redis(servers: Servers) -> Redis:
    return Redis(unix_socket_path=str(servers.redis.socket))


def admin_of_postgres(servers: Servers, database: str = "postgres") -> psycopg.Connection[tuple[object, ...]]:
    return psycopg.connect(
        host=str(servers.postgres.socket_dir),
        port=servers.postgres.port,
        user="postgres",
        dbname=database,
        autocommit=True,
    )
