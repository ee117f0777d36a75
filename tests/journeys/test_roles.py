"""What each role finds after signing in, and what prod asks before it opens."""

from __future__ import annotations

import pytest

from apps.accounts.models import Operator, Role
from tests.accounts.conftest import SEED, code_of, set_up_factor
from tests.browser import Tab
from tests.conftest import person
from tests.journeys.conftest import SignIn, follow, heading, press
from tests.system.conftest import World

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
FLEET = ["Overview", "Queues", "Timeline", "Runs", "Backups", "Approvals", "Audit"]
REDIS = ["Keyspace", "Queues", "Slow log", "Clients", "ACL", "Upkeep", "Backups"]


def menu(tab: Tab, *, of: str) -> list[str]:
    return [text.strip() for text in tab.page.locator(f"{of} a").all_inner_texts()]


@pytest.mark.parametrize(
    ("role", "fleet", "closed"),
    [
        (Role.VIEWER, FLEET, []),
        (Role.OPERATOR, FLEET, []),
        (Role.MAINTAINER, FLEET, []),
        (Role.ADMIN, [*FLEET, "Operators", "Freezes", "Archive", "Deploy marks", "Deliveries"], ["Keyspace"]),
        (Role.AUDITOR, [*FLEET, "Operators"], ["Keyspace"]),
    ],
)
def test_each_role_finds_its_own_way(
    role: Role, fleet: list[str], closed: list[str], world: World, dana: Operator, signs_in: SignIn
) -> None:
    """A link for what may be opened; the bare word for what may not; and a page that says who may and who can grant it."""
    person("pat", role)
    tab = signs_in("pat", at="/servers/redis-staging/")
    assert menu(tab, of="nav[aria-label=Fleet]") == fleet
    assert role.value in tab.text(".sb-side-foot")
    assert menu(tab, of=".sb-nav-sub") == [title for title in REDIS if title not in closed]
    if closed:
        assert "Your roles do not include this in staging" in tab.text(".sb-nav-sub .nav-off")
        assert tab.go("/servers/redis-staging/keyspace/").status == 403
        said = tab.text("main")
        assert heading(tab) == "Your role does not allow this here"
        assert "Nobody may, as the roles are now. Can grant it: dana" in said


@pytest.mark.parametrize("role", [Role.VIEWER, Role.OPERATOR, Role.AUDITOR])
def test_who_may_not_register_is_not_shown_the_way_and_told_who_may(
    role: Role, world: World, alice: Operator, dana: Operator, signs_in: SignIn
) -> None:
    person("pat", role)
    tab = signs_in("pat")
    assert tab.page.get_by_role("link", name="Register a server").count() == 0
    assert tab.go("/servers/new/").status == 403
    assert "Can grant it: dana" in tab.text("main")
    assert tab.go("/servers/redis-dev/edit/").status == 403
    assert "May: alice, dana." in tab.text("main")


def test_a_viewer_sees_names_and_not_the_inside_of_keys_beyond_dev(
    world: World, bob: Operator, signs_in: SignIn
) -> None:
    tab = signs_in("bob", at="/servers/redis-staging/keyspace/")
    assert "Looked at all" in heading(tab)
    assert tab.page.get_by_text("text", exact=True).count() > 0
    assert tab.page.get_by_role("link", name="text", exact=True).count() == 0
    tab.go("/servers/redis-dev/keyspace/")
    tab.page.get_by_role("link", name="text", exact=True).click()
    tab.page.locator("#key >> text=your role may not see them in dev").wait_for()
    assert "hello" not in tab.text("#key")
    tab.go(f"{tab.page.url.removeprefix(tab.base)}&show=1")
    assert "hello" not in tab.text("main")


def test_a_stranger_sees_nothing_and_is_told_whom_to_ask(
    world: World, charlie: Operator, dana: Operator, signs_in: SignIn
) -> None:
    tab = signs_in("charlie")
    assert heading(tab) == "There is nothing here for you yet"
    assert "dana can give you a role" in tab.text("main")
    assert menu(tab, of="#side-servers") == []
    assert "redis-dev" not in tab.page.content()
    for path in ("/servers/redis-dev/", "/servers/redis-dev/keyspace/", "/servers/no-such-server/"):
        assert tab.go(path).status == 404
        assert "redis-dev" not in tab.text("main")


def test_an_operator_sets_up_a_second_factor_at_the_door_of_prod(world: World, signs_in: SignIn) -> None:
    person("olga", Role.OPERATOR)
    tab = signs_in("olga", at="/servers/redis-prod/")
    assert heading(tab) == "prod needs a second factor; set one up"
    follow(tab, "Set up a second factor")
    tab.page.get_by_label("Code that the app shows").fill(code_of(tab.text("code.code")))
    press(tab, "Turn it on")
    assert heading(tab) == "Keep these 10 codes: they are shown this once"
    codes = tab.text("pre.code").split()
    assert len(set(codes)) == 10
    tab.page.reload()
    assert heading(tab) == "10 of 10 recovery codes are left"
    assert not any(code in tab.page.content() for code in codes)
    assert tab.go("/servers/redis-prod/").status == 200
    assert "PROD" in tab.text("#serverbar")


def test_a_key_on_prod_asks_an_operator_for_a_reason_and_then_opens(world: World, signs_in: SignIn) -> None:
    set_up_factor(person("olga", Role.OPERATOR))
    tab = signs_in("olga", at="/servers/redis-prod/keyspace/")
    with_code(tab)
    tab.page.get_by_role("link", name="text", exact=True).click()
    tab.page.locator("#key h2", has_text="Why do you need this?").wait_for()
    tab.page.get_by_label("Reason").fill("ticket 4711: a cart that is lost")
    press(tab, "Write it down and open")
    assert tab.text("#key .keyname") == "text"
    assert "●●●" in tab.text("#key") and "hello" not in tab.text("#key")


def with_code(tab: Tab) -> None:
    tab.page.get_by_label("Code of your app").fill(code_of(SEED))
    press(tab, "Sign in")
