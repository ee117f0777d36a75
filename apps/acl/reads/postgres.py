"""Roles of a PostgreSQL cluster: attributes, memberships as a tree, sessions, what they own; the worst first."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from apps.acl.reads.folder import FOLDER
from apps.engine.connections.postgres import PostgresNode, postgres_node
from apps.engine.files import sql_text
from apps.engine.target import Address, Target

ROLES_MOST = 1000
MEMBERSHIPS_MOST = 5000
DEPTH_MOST = 8
_RANKS = ("crit", "warn", "info", "ok", "skip")


@dataclass(frozen=True, slots=True, kw_only=True)
class Role:
    """A role as pg_roles has it."""

    oid: int
    name: str
    can_login: bool
    is_superuser: bool
    inherits: bool
    can_create_roles: bool
    can_create_databases: bool
    can_replicate: bool
    bypasses_row_security: bool
    connection_limit: int
    expires_at: datetime | None
    session_count: int
    owned_count: int
    is_predefined: bool
    is_me: bool

    @property
    def is_expired(self) -> bool:
        return self.expires_at is not None and self.expires_at < datetime.now(UTC)

    @property
    def attributes(self) -> tuple[str, ...]:
        """What it may beyond its grants, in words."""
        words = {
            "superuser": self.is_superuser,
            "creates roles": self.can_create_roles,
            "creates databases": self.can_create_databases,
            "replicates": self.can_replicate,
            "bypasses row security": self.bypasses_row_security,
        }
        return tuple(word for word, holds in words.items() if holds)


@dataclass(frozen=True, slots=True, kw_only=True)
class Membership:
    role_oid: int
    member_oid: int
    has_admin_option: bool
    inherits: bool
    may_set: bool
    grantor: str | None

    @property
    def words(self) -> str:
        """What the membership gives: rights at once, by SET ROLE, and whether it may be passed on."""
        given = (
            "has its rights"
            if self.inherits
            else "has its rights only after SET ROLE"
            if self.may_set
            else "has none of its rights"
        )
        cannot = "" if self.may_set or not self.inherits else "; may not SET ROLE"
        return given + cannot + ("; may grant it to others" if self.has_admin_option else "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Branch:
    """A line of a tree: `depth` levels in, this role, by this membership."""

    depth: int
    role: Role
    membership: Membership


@dataclass(frozen=True, slots=True, kw_only=True)
class Roles:
    """All roles, worst first. `passwords` is None when the account may not see how they are kept."""

    roles: tuple[Role, ...]
    memberships: tuple[Membership, ...]
    passwords: Mapping[int, str] | None
    is_cut: bool

    def named(self, name: str) -> Role | None:
        return next((role for role in self.roles if role.name == name), None)

    def password_of(self, role: Role) -> str | None:
        """scram-sha-256, md5, none, other; None when it is not known."""
        return None if self.passwords is None else self.passwords.get(role.oid)

    def granted_to(self, role: Role) -> tuple[Branch, ...]:
        """The roles that it is a member of, and theirs in turn."""
        return self._tree(role, upwards=True)

    def members_of(self, role: Role) -> tuple[Branch, ...]:
        return self._tree(role, upwards=False)

    def is_superuser_by_membership(self, role: Role) -> bool:
        return any(branch.role.is_superuser and branch.membership.may_set for branch in self.granted_to(role))

    def trouble(self, role: Role) -> tuple[str, str]:
        """(signal, reason): how much a role asks for attention."""
        kind = self.password_of(role)
        if not role.can_login:
            return "skip", "cannot sign in"
        if role.is_superuser and kind == "md5":
            return "crit", "superuser with an MD5 password"
        if role.is_expired:
            return "warn", "its password has expired"
        if role.is_superuser:
            return "warn", "superuser that can sign in"
        if kind == "md5":
            return "warn", "MD5 password"
        if self.is_superuser_by_membership(role):
            return "warn", "may become a superuser"
        risky = [word for word in role.attributes if word in ("creates roles", "replicates", "bypasses row security")]
        return ("info", risky[0]) if risky else ("ok", "")

    def worst_first(self) -> tuple[Role, ...]:
        """Roles of the cluster's own, and predefined ones only where somebody signs in as them."""
        shown = [role for role in self.roles if not role.is_predefined or role.can_login]
        return tuple(sorted(shown, key=lambda role: (_RANKS.index(self.trouble(role)[0]), role.name)))

    def _tree(self, role: Role, *, upwards: bool) -> tuple[Branch, ...]:
        """Depth first, each role once a path; the server allows no circle, the limit holds anyway."""
        by_oid = {each.oid: each for each in self.roles}
        edges: dict[int, list[Membership]] = {}
        for each in self.memberships:
            edges.setdefault(each.member_oid if upwards else each.role_oid, []).append(each)
        found: list[Branch] = []
        waiting = [(each, 1) for each in reversed(edges.get(role.oid, []))]
        while waiting and len(found) < ROLES_MOST:
            membership, depth = waiting.pop()
            other = by_oid.get(membership.role_oid if upwards else membership.member_oid)
            if other is None:
                continue
            found.append(Branch(depth=depth, role=other, membership=membership))
            if depth < DEPTH_MOST:
                waiting += [(each, depth + 1) for each in reversed(edges.get(other.oid, []))]
        return tuple(found)


def roles(target: Target, *, address: Address | None = None) -> Roles:
    """The roles of the cluster.

    Shape: at most 1,000 roles and 5,000 memberships. Units: counts; -1 connections is no limit.
    Cost: three or four statements over small catalogues, some ms. No hash of a password leaves the server.
    Errors: those of postgres_node. Without SELECT on pg_authid the kinds of passwords are None.
    Source: pg_roles, pg_auth_members, pg_stat_activity, pg_shdepend, pg_authid.
    """
    with postgres_node(target, address=address) as node:
        found = node.records(Role, sql_text(FOLDER, "roles", major=node.version), {"most": ROLES_MOST})
        members = node.records(
            Membership, sql_text(FOLDER, "memberships", major=node.version), {"most": MEMBERSHIPS_MOST}
        )
        return Roles(
            roles=tuple(found),
            memberships=tuple(members),
            passwords=_passwords(node),
            is_cut=len(found) == ROLES_MOST,
        )


def _passwords(node: PostgresNode) -> Mapping[int, str] | None:
    if not node.row(sql_text(FOLDER, "may_read_passwords", major=node.version))[0]:
        return None
    rows = node.rows(sql_text(FOLDER, "passwords", major=node.version), {"most": ROLES_MOST})
    return {int(oid): str(kind) for oid, kind in rows}
