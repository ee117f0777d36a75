"""What the account may do, feature by feature, found out without being denied where the server allows that."""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from apps.engine.connections.postgres import postgres_node, sql
from apps.engine.connections.redis import RedisNode, Reply, redis_node, rule_of
from apps.engine.errors import EngineError, NotPermitted, Unsupported
from apps.engine.files import sql_text
from apps.engine.target import Kind, Target
from apps.servers.capabilities import RIGHTS, Capability, Feature, Words, features, key_rule
from apps.servers.reads.redis_identity import version_pair

SQL = Path(__file__).resolve().parent.parent / "sql"
DRYRUN_SINCE = (7, 0)


class Verdict(enum.Enum):
    ALLOWED = enum.auto()
    DENIED = enum.auto()
    KEYS_DENIED = enum.auto()
    ABSENT = enum.auto()


@dataclass(frozen=True, slots=True, kw_only=True)
class Rights:
    """What one probe found. `account` is who the server says we are; features that cannot be known are left out."""

    account: str
    capabilities: tuple[Capability, ...]

    def stored(self) -> dict[str, dict[str, object]]:
        """As Server.capabilities keeps it, by feature."""
        return {c.key: {"ok": c.ok, "missing": c.missing, "reason": c.reason} for c in self.capabilities}


def probe(target: Target) -> Rights:
    """What the account of a target's profile may do on its first node.

    Shape: a Capability for every feature of the profile that this server can tell about.
    Cost: two round trips to a Redis (ACL DRYRUN, 7.0 and newer, leaves nothing in the ACL log; older ones, or an account
    without +acl|dryrun, are found out by one harmless try a command: a denied try is one entry in the log). One query to a
    PostgreSQL. Errors: every EngineError of connecting.
    Source: HELLO, ACL WHOAMI, ACL DRYRUN, or the commands of capabilities.py; pg_has_role and its relatives.
    """
    return _probe_redis(target) if target.kind == Kind.REDIS else _probe_postgres(target)


def _probe_redis(target: Target) -> Rights:
    wanted = features(Kind.REDIS, target.profile)
    with redis_node(target, fresh=True) as node:  # fresh: a try may SELECT another database
        hello, whoami = node.pipeline([("HELLO", "2"), ("ACL", "WHOAMI")])
        account = whoami.decode("utf-8", "replace") if isinstance(whoami, bytes) else target.username or "default"
        version = _version_of(hello)
        verdicts = _verdicts(node, account, wanted, version)
    found = (_redis_capability(f, verdicts, account, version) for f in wanted)
    return Rights(account=account, capabilities=tuple(c for c in found if c is not None))


def _version_of(hello: Reply | EngineError) -> tuple[int, int]:
    """From HELLO, which no ACL rule can deny; (0, 0) where a proxy leaves it out."""
    if not isinstance(hello, list) or b"version" not in hello:
        return 0, 0
    return version_pair(hello[hello.index(b"version") + 1].decode("ascii", "replace"))


def _verdicts(
    node: RedisNode, account: str, wanted: Sequence[Feature], version: tuple[int, int]
) -> Mapping[Words, Verdict]:
    """One verdict a command; commands that must not be tried are missing where there is no dry run."""
    commands = list(dict.fromkeys(words for f in wanted for words in f.commands_of(version)))
    may_dry_run = version >= DRYRUN_SINCE and not isinstance(
        node.pipeline([("ACL", "DRYRUN", account, "PING")])[0], EngineError
    )
    if may_dry_run:
        replies = node.pipeline([("ACL", "DRYRUN", account, *words) for words in commands])
        return {words: _dry_verdict(reply) for words, reply in zip(commands, replies, strict=True)}
    harmless = {f.key for f in wanted if f.looks and (f.since <= version or version == (0, 0))}
    tries = list(dict.fromkeys(words for f in wanted if f.key in harmless for words in f.commands_of(version)))
    return {words: _try_verdict(reply) for words, reply in zip(tries, node.pipeline(tries), strict=True)}


def _dry_verdict(reply: Reply | EngineError) -> Verdict:
    if isinstance(reply, EngineError):
        return Verdict.ABSENT if "not found" in reply.message else Verdict.ALLOWED
    if reply == b"OK":
        return Verdict.ALLOWED
    return Verdict.KEYS_DENIED if b" access " in reply else Verdict.DENIED


def _try_verdict(reply: Reply | EngineError) -> Verdict:
    """Any answer but a denial is a right: a key that is not there, a cluster that is off."""
    if isinstance(reply, NotPermitted):
        return Verdict.KEYS_DENIED if reply.missing == "~*" else Verdict.DENIED
    return Verdict.ABSENT if isinstance(reply, Unsupported) else Verdict.ALLOWED


def _redis_capability(
    feature: Feature, verdicts: Mapping[Words, Verdict], account: str, version: tuple[int, int]
) -> Capability | None:
    if version != (0, 0) and version < feature.since:
        since = ".".join(map(str, feature.since))
        return _capability(feature, ok=False, reason=f"It came with Redis {since}; this server is older.")
    found = {words: verdicts[words] for words in feature.commands_of(version) if words in verdicts}
    if not found:
        return None
    absent = [words for words, verdict in found.items() if verdict is Verdict.ABSENT]
    if absent:
        names = ", ".join(dict.fromkeys(rule_of(w)[1:].upper().replace("|", " ") for w in absent))
        return _capability(
            feature,
            ok=False,
            reason=f"This server has no {names}: its version, or the service that runs it, leaves it out.",
        )
    return _denied(feature, found, account, version)


def _denied(feature: Feature, found: Mapping[Words, Verdict], account: str, version: tuple[int, int]) -> Capability:
    rules = [rule_of(words) for words, verdict in found.items() if verdict is Verdict.DENIED]
    if Verdict.KEYS_DENIED in found.values():
        rules.insert(0, "~*" if feature.writes_keys else key_rule(version))
    if not rules:
        return _capability(feature, ok=True)
    line = f"ACL SETUSER {account} {' '.join(dict.fromkeys(rules))}"
    return _capability(feature, ok=False, missing=line, reason=feature.without)


def _capability(feature: Feature, *, ok: bool, missing: str = "", reason: str = "") -> Capability:
    return Capability(
        key=feature.key, title=feature.title, profile=feature.profile, ok=ok, missing=missing, reason=reason
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Held:
    name: str
    held: bool
    account: str


def _probe_postgres(target: Target) -> Rights:
    with postgres_node(target) as node:
        rows = node.records(_Held, sql_text(SQL, "rights", major=node.version))
        major = node.version
    account = rows[0].account
    held = {row.name for row in rows if row.held}
    found = [_postgres_capability(f, held, account, major) for f in features(Kind.POSTGRES, target.profile)]
    return Rights(account=account, capabilities=tuple(found))


def _postgres_capability(feature: Feature, held: set[str], account: str, major: int) -> Capability:
    lacking = [RIGHTS[name] for name in feature.rights if name not in held]
    if "pg_stat_statements" in (right.name for right in lacking):  # the right to select comes with the extension
        lacking = [right for right in lacking if right.name != "select_pg_stat_statements"]
    too_new = [right for right in lacking if right.since > major]
    if too_new:
        reason = f"{too_new[0].name} came with PostgreSQL {too_new[0].since}; on older servers the owner has to do it."
        return _capability(feature, ok=False, reason=reason)
    quoted = sql.Identifier(account).as_string(None)
    lines = [right.grant.format(user=quoted) for right in lacking]
    return _capability(feature, ok=not lines, missing="\n".join(lines), reason=feature.without if lines else "")


def missing_lines(capabilities: Sequence[Capability]) -> str:
    """One text that allows all that is missing: the rules of a Redis account joined, the grants of a PostgreSQL each once."""
    lines = list(dict.fromkeys(line for c in capabilities for line in c.missing.splitlines()))
    prefixed = [line.split(" ", 3) for line in lines if line.startswith("ACL SETUSER ")]
    if not prefixed:
        return "\n".join(lines)
    rules = dict.fromkeys(rule for words in prefixed for rule in words[3].split())
    return f"ACL SETUSER {prefixed[0][2]} {' '.join(rules)}"
