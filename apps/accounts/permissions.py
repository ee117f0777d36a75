"""The one table of who may do what, where. Every route names a permission of this table; what is not in it is not allowed.

A cell says what is asked of a role in an environment: nothing more (yes), a written reason, a fresh sign-in (sudo) with a
reason, the server's name typed besides, the agreement of a second person besides, or no. Columns follow the environment's
policy: dev / staging / prod. A permission without servers (operators, audit) has one column only, and a scope of all.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass

from apps.accounts.models import Role


class Need(enum.StrEnum):
    """What a role still has to bring. Ordered: the easiest of several roles counts."""

    YES = "yes"
    REASON = "reason"
    SUDO = "sudo"
    TYPED = "typed"
    APPROVAL = "approval"
    NO = "no"

    @property
    def rank(self) -> int:
        return list(Need).index(self)


POLICIES = ("dev", "staging", "prod")
_LETTERS = {
    "y": Need.YES, "r": Need.REASON, "s": Need.SUDO, "t": Need.TYPED, "A": Need.APPROVAL, "-": Need.NO,
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Permission:
    """`cells` maps (role, policy) to a need.

    `tier` T0 looks at metadata, T1 at data; T2 changes little or what can be put back, T3 disturbs, T4 destroys or changes rights.
    """

    key: str
    title: str
    tier: str
    of_servers: bool
    cells: Mapping[tuple[Role, str], Need]

    def need(self, role: Role, policy: str) -> Need:
        return self.cells[role, policy]


def _row(
    key: str, title: str, tier: str, viewer: str, operator: str, maintainer: str, admin: str, auditor: str
) -> Permission:
    columns = dict(zip(Role, (viewer, operator, maintainer, admin, auditor), strict=True))
    of_servers = "/" in viewer
    cells = {
        (role, policy): _LETTERS[(text.split("/") if of_servers else [text] * 3)[index]]
        for role, text in columns.items()
        for index, policy in enumerate(POLICIES)
    }
    return Permission(key=key, title=title, tier=tier, of_servers=of_servers, cells=cells)


_ALL = ("y/y/y",) * 5
_NONE = "-/-/-"
TABLE: Mapping[str, Permission] = {
    permission.key: permission
    for permission in (
        #    key                 what it is                                  tier  viewer   operator maintainer admin    auditor
        _row("servers.view", "See a server, its figures and its nodes", "T0", *_ALL),
        _row("activity.view", "See sessions, clients, slow statements, masked", "T0", *_ALL),
        _row("queues.view", "See backlogs, groups and workers", "T0", *_ALL),
        _row("upkeep.view", "See memory, persistence, tables and indexes", "T0", *_ALL),
        _row("backups.view", "See backups", "T0", *_ALL),
        _row("acl.view", "See users, roles and rules, never hashes", "T0", "y/y/-", "y/y/y", "y/y/y", "y/y/y", "y/y/y"),
        _row("keyspace.names", "See the names of keys", "T1", "y/y/-", "y/y/y", "y/y/y", "-/-/-", "-/-/-"),
        _row("keyspace.values", "Open a key, masked", "T1", "y/-/-", "y/y/r", "y/y/y", "-/-/-", "-/-/-"),
        _row(
            "data.unmask",
            "See values, statements and payloads unmasked",
            "T1",
            "-/-/-",
            "y/r/s",
            "y/r/s",
            "-/-/-",
            "-/-/-",
        ),
        _row(
            "servers.manage", "Register, change and remove servers", "T3", "-/-/-", "-/-/-", "s/s/-", "s/s/s", "-/-/-"
        ),
        _row("keys.change", "Change or delete one key", "T3", _NONE, "y/r/-", "y/r/t", _NONE, _NONE),
        _row("keys.change_many", "Change or delete keys by pattern", "T4", _NONE, "t/-/-", "y/t/A", _NONE, _NONE),
        _row("jobs.requeue", "Put one failed job back", "T2", _NONE, "y/y/r", "y/y/r", _NONE, _NONE),
        _row("streams.trim", "Trim a stream", "T4", _NONE, "t/-/-", "y/t/A", _NONE, _NONE),
        _row("acl.change", "Change users, rules and roles", "T4", _NONE, _NONE, "s/t/A", _NONE, _NONE),
        _row("stats.reset", "Reset logs and statistics, purge memory", "T2", _NONE, "y/y/r", "y/y/r", _NONE, _NONE),
        _row("statements.cancel", "Cancel a statement", "T2", _NONE, "y/y/r", "y/y/r", _NONE, _NONE),
        _row("sessions.end", "End sessions and clients", "T3", _NONE, "y/r/s", "y/r/s", _NONE, _NONE),
        _row("upkeep.maintain", "Vacuum and reindex", "T3", _NONE, "y/r/s", "y/r/s", _NONE, _NONE),
        _row("upkeep.analyze", "Analyse tables, write a snapshot", "T2", _NONE, "y/y/r", "y/y/r", _NONE, _NONE),
        _row("settings.change", "Change a setting", "T3", _NONE, "y/-/-", "y/s/t", _NONE, _NONE),
        _row("backups.take", "Take a backup", "T2", _NONE, "y/y/r", "y/y/r", _NONE, _NONE),
        _row("backups.download", "Download a backup", "T4", _NONE, _NONE, "y/s/A", _NONE, _NONE),
        _row("backups.delete", "Delete a backup", "T4", _NONE, _NONE, "t/t/A", _NONE, _NONE),
        _row("approvals.answer", "Agree to what others plan, or deny it", "T4", _NONE, _NONE, "y/s/s", _NONE, _NONE),
        _row("audit.view", "See the audit of everybody", "T0", "-", "-", "-", "y", "y"),
        _row("audit.export", "Export and verify the audit", "T1", "-", "-", "-", "s", "y"),
        _row("freezes.manage", "Freeze changes, lift a freeze, see deliveries", "T3", "-", "-", "-", "s", "-"),
        _row("marks.manage", "Make and revoke tokens for deploy marks", "T3", "-", "-", "-", "s", "-"),
        _row("operators.view", "See operators, roles and sessions", "T0", "-", "-", "-", "y", "y"),
        _row("operators.manage", "Invite, lock, grant, revoke, end sessions", "T4", "-", "-", "-", "s", "-"),
        _row("own.account", "One's own password, second factor, sessions", "T0", "y", "y", "y", "y", "y"),
        _row("console.use", "Sign in and see the frame of the console", "T0", "y", "y", "y", "y", "y"),
    )
}
