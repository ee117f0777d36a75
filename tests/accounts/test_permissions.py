"""The whole table as data: what each role needs in dev, staging and prod. Written out a second time, on purpose."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from apps.accounts.access import Place, decide, roles_at, who_may
from apps.accounts.models import Assignment, Operator, Role, ScopeKind
from apps.accounts.permissions import POLICIES, TABLE
from tests.conftest import grant, person

LOOK = "yes yes yes"
NO = "no no no"
# permission: viewer, operator, maintainer, admin, auditor; each dev, staging, prod
EXPECTED = {
    "servers.view": (LOOK, LOOK, LOOK, LOOK, LOOK),
    "activity.view": (LOOK, LOOK, LOOK, LOOK, LOOK),
    "queues.view": (LOOK, LOOK, LOOK, LOOK, LOOK),
    "upkeep.view": (LOOK, LOOK, LOOK, LOOK, LOOK),
    "backups.view": (LOOK, LOOK, LOOK, LOOK, LOOK),
    "acl.view": ("yes yes no", LOOK, LOOK, LOOK, LOOK),
    "keyspace.names": ("yes yes no", LOOK, LOOK, NO, NO),
    "keyspace.values": ("yes no no", "yes yes reason", LOOK, NO, NO),
    "data.unmask": (NO, "yes reason sudo", "yes reason sudo", NO, NO),
    "servers.manage": (NO, NO, "sudo sudo no", "sudo sudo sudo", NO),
    "keys.change": (NO, "yes reason no", "yes reason typed", NO, NO),
    "keys.change_many": (NO, "typed no no", "yes typed approval", NO, NO),
    "jobs.requeue": (NO, "yes yes reason", "yes yes reason", NO, NO),
    "streams.trim": (NO, "typed no no", "yes typed approval", NO, NO),
    "acl.change": (NO, NO, "sudo typed approval", NO, NO),
    "stats.reset": (NO, "yes yes reason", "yes yes reason", NO, NO),
    "statements.cancel": (NO, "yes yes reason", "yes yes reason", NO, NO),
    "sessions.end": (NO, "yes reason sudo", "yes reason sudo", NO, NO),
    "upkeep.maintain": (NO, "yes reason sudo", "yes reason sudo", NO, NO),
    "upkeep.analyze": (NO, "yes yes reason", "yes yes reason", NO, NO),
    "settings.change": (NO, "yes no no", "yes sudo typed", NO, NO),
    "backups.take": (NO, "yes yes reason", "yes yes reason", NO, NO),
    "backups.download": (NO, NO, "yes sudo approval", NO, NO),
    "backups.delete": (NO, NO, "typed typed approval", NO, NO),
    "approvals.answer": (NO, NO, "yes sudo sudo", NO, NO),
    "audit.view": (NO, NO, NO, LOOK, LOOK),
    "audit.export": (NO, NO, NO, "sudo sudo sudo", LOOK),
    "freezes.manage": (NO, NO, NO, "sudo sudo sudo", NO),
    "marks.manage": (NO, NO, NO, "sudo sudo sudo", NO),
    "operators.view": (NO, NO, NO, LOOK, LOOK),
    "operators.manage": (NO, NO, NO, "sudo sudo sudo", NO),
}
OF_ANYBODY = {"own.account", "console.use"}
CELLS = [
    (permission, role, policy, words.split()[column])
    for permission, by_role in EXPECTED.items()
    for role, words in zip(Role, by_role, strict=True)
    for column, policy in enumerate(POLICIES)
]


def test_the_list_above_is_the_whole_table() -> None:
    assert set(EXPECTED) | OF_ANYBODY == set(TABLE)


@pytest.mark.parametrize(("permission", "role", "policy", "need"), CELLS)
def test_a_role_needs_what_the_table_says(db: None, permission: str, role: Role, policy: str, need: str) -> None:
    place = Place(environment=policy, key="any") if TABLE[permission].of_servers else None
    decision = decide(person("somebody", role), permission, place)
    assert (decision.need.value, decision.allowed, decision.visible) == (need, need != "no", True)


@pytest.mark.parametrize("permission", sorted(OF_ANYBODY))
def test_a_stranger_may_use_the_frame_and_the_own_account(charlie: Operator, permission: str) -> None:
    assert decide(charlie, permission).allowed


@pytest.mark.parametrize("permission", sorted(EXPECTED))
def test_a_stranger_may_nothing_else(charlie: Operator, permission: str) -> None:
    decision = decide(charlie, permission, Place(environment="dev", key="any"))
    assert (decision.allowed, decision.visible) == (False, False)


SCOPES = [
    (ScopeKind.ALL, "", {"shop-dev", "shop-prod", "mail-prod"}),
    (ScopeKind.ENVIRONMENT, "prod", {"shop-prod", "mail-prod"}),
    (ScopeKind.ENVIRONMENT, "staging", set()),
    (ScopeKind.TAG, "shop", {"shop-dev", "shop-prod"}),
    (ScopeKind.SERVER, "mail-prod", {"mail-prod"}),
    (ScopeKind.SERVER, "mail", set()),
    (ScopeKind.SERVER, "shop", set()),
]
PLACES = (
    Place(environment="dev", key="shop-dev", tags=frozenset({"shop"})),
    Place(environment="prod", key="shop-prod", tags=frozenset({"shop", "shop-dev"})),
    Place(environment="prod", key="mail-prod"),
)


@pytest.mark.parametrize(("kind", "key", "reached"), SCOPES)
def test_a_role_holds_within_its_scope_only(charlie: Operator, kind: str, key: str, reached: set[str]) -> None:
    grant(charlie, Role.MAINTAINER, kind, key)
    assert {p.key for p in PLACES if decide(charlie, "servers.view", p).visible} == reached


def test_a_role_of_one_environment_opens_no_page_of_the_whole_console(charlie: Operator) -> None:
    grant(charlie, Role.AUDITOR, ScopeKind.ENVIRONMENT, "prod")
    assert not decide(charlie, "operators.view").allowed


def test_of_two_roles_the_easier_need_counts(charlie: Operator) -> None:
    grant(charlie, Role.OPERATOR)
    grant(charlie, Role.MAINTAINER, ScopeKind.SERVER, "shop-prod")
    needs = [decide(charlie, "keyspace.values", p).need.value for p in PLACES]
    assert needs == ["yes", "yes", "reason"]


def test_a_role_ends_when_its_time_is_over_or_it_is_revoked(charlie: Operator) -> None:
    now = timezone.now()
    for change in ({"expires_at": now - timedelta(seconds=1)}, {"revoked_at": now}):
        row = grant(charlie, Role.VIEWER)
        Assignment.objects.filter(pk=row.pk).update(**change)
    assert not roles_at(Operator.objects.get(pk=charlie.pk), None)
    row = grant(charlie, Role.VIEWER)
    Assignment.objects.filter(pk=row.pk).update(expires_at=now + timedelta(hours=1))
    assert roles_at(Operator.objects.get(pk=charlie.pk), None) == {Role.VIEWER}


def test_an_environment_that_nobody_declared_is_prod(alice: Operator, bob: Operator) -> None:
    place = Place(environment="surprise", key="any")
    assert not decide(bob, "keyspace.names", place).allowed
    assert place.second_factor


def test_who_may_is_asked_in_two_queries_however_many_there_are(
    alice: Operator, dana: Operator, django_assert_num_queries: object
) -> None:
    for n in range(5):
        person(f"viewer{n}", Role.VIEWER)
    with django_assert_num_queries(2):  # type: ignore[operator]
        assert [o.username for o in who_may("keyspace.names", PLACES[1])] == ["alice"]


def test_a_misspelt_permission_is_an_error_not_a_no(alice: Operator) -> None:
    with pytest.raises(KeyError):
        decide(alice, "server.view")
