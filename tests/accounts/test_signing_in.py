"""Signing in: the password, the second factor, recovery codes, and what is closed."""

from __future__ import annotations

from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from allauth.usersessions.models import UserSession
from django.test import Client
from django.urls import NoReverseMatch, reverse

from apps.accounts import people
from apps.accounts.models import Invitation, Operator
from tests.accounts.conftest import SEED, Visitor, code_of, is_signed_in, make_fresh, set_up_factor, sign_in


def test_alice_signs_in_with_her_password_whatever_the_case_of_her_name(alice: Operator) -> None:
    client = sign_in("Alice")
    assert client.last["Location"] == "/"
    assert is_signed_in(client)


def test_a_session_gets_another_key_when_somebody_signs_in(alice: Operator) -> None:
    client = Visitor()
    session = client.session
    session["planted"] = "yes"
    session.save()
    before = client.steal(str(session.session_key)).key
    sign_in("alice", client=client)
    assert client.key != before
    assert not is_signed_in(Visitor().steal(before))


def test_after_signing_in_one_comes_back_to_the_page_that_was_asked_for(alice: Operator) -> None:
    client = Client()
    asked = client.get("/servers/shop/?tab=a")
    assert asked["Location"] == "/accounts/login/?next=%2Fservers%2Fshop%2F%3Ftab%3Da"
    page = {"login": "alice", "password": "a long enough passphrase", "next": "/servers/shop/?tab=a"}
    assert client.post(asked["Location"], page)["Location"] == "/servers/shop/?tab=a"


@pytest.mark.parametrize(
    "elsewhere", ["https://evil.example/", "//evil.example/", "/\\evil.example", "http://localhost:9/"]
)
def test_after_signing_in_nobody_is_sent_to_another_site(alice: Operator, elsewhere: str) -> None:
    form = {"login": "alice", "password": "a long enough passphrase", "next": elsewhere}
    assert Client().post("/accounts/login/", form)["Location"] == "/"


def test_the_answer_to_a_wrong_password_is_that_to_an_unknown_and_a_locked_name(
    alice: Operator, bob: Operator, dana: Operator
) -> None:
    people.lock(bob, by="dana", reason="left the company")
    answers = [
        sign_in(name, password, address=f"198.51.100.{n}").last
        for n, (name, password) in enumerate(
            [("alice", "wrong password"), ("nobody", "wrong password"), ("bob", "a long enough passphrase")]
        )
    ]
    texts = {
        a.content.decode().replace(f'value="{n}"', "") for a, n in zip(answers, ("alice", "nobody", "bob"), strict=True)
    }
    texts = {
        text[text.index("notice-crit") : text.index("</footer>")].split("csrfmiddlewaretoken")[0] for text in texts
    }
    assert {a.status_code for a in answers} == {200}
    assert len(texts) == 1


def test_an_unknown_name_costs_one_hash_like_a_known_one(alice: Operator, monkeypatch: pytest.MonkeyPatch) -> None:
    from django.contrib.auth.hashers import MD5PasswordHasher

    hashed: list[str] = []
    encode = MD5PasswordHasher.encode

    def counted(self: MD5PasswordHasher, password: str, salt: str) -> str:
        hashed.append(password)
        return encode(self, password, salt)

    monkeypatch.setattr(MD5PasswordHasher, "encode", counted)
    counts = []
    for name in ("alice", "nobody"):
        hashed.clear()
        sign_in(name, "wrong password")
        counts.append(len(hashed))
    assert counts == [1, 1]


@pytest.mark.parametrize("path", ["signup/", "email/", "password/reset/", "confirm-email/", "social/", "password/set/"])
def test_nobody_signs_up_or_resets_by_mail(db: None, path: str) -> None:
    assert Client().get(f"/accounts/{path}").status_code == 404
    with pytest.raises(NoReverseMatch):
        reverse("account_signup")


def test_with_a_second_factor_the_password_alone_does_not_sign_in(alice: Operator) -> None:
    set_up_factor(alice)
    client = sign_in("alice")
    assert client.last["Location"] == "/accounts/2fa/authenticate/"
    assert not is_signed_in(client)
    assert client.post("/accounts/2fa/authenticate/", {"code": "000000"}).status_code == 200
    assert not is_signed_in(client)
    client.post("/accounts/2fa/authenticate/", {"code": code_of(SEED)})
    assert is_signed_in(client)


def test_a_code_counts_once(alice: Operator) -> None:
    set_up_factor(alice)
    code = code_of(SEED)
    first, second = sign_in("alice"), sign_in("alice")
    first.post("/accounts/2fa/authenticate/", {"code": code})
    second.post("/accounts/2fa/authenticate/", {"code": code})
    assert (is_signed_in(first), is_signed_in(second)) == (True, False)


def test_a_recovery_code_replaces_the_app_one_time(alice: Operator) -> None:
    set_up_factor(alice)
    code = Authenticator.objects.get(user=alice, type="recovery_codes").wrap().get_unused_codes()[3]
    first, second = sign_in("alice"), sign_in("alice")
    first.post("/accounts/2fa/authenticate/", {"code": code})
    second.post("/accounts/2fa/authenticate/", {"code": code})
    assert (is_signed_in(first), is_signed_in(second)) == (True, False)


def test_codes_cannot_be_guessed_for_long(alice: Operator) -> None:
    set_up_factor(alice)
    client = sign_in("alice")
    for guess in range(5):
        client.post("/accounts/2fa/authenticate/", {"code": f"{guess:06}"})
    client.post("/accounts/2fa/authenticate/", {"code": code_of(SEED)})
    assert not is_signed_in(client)


def test_alice_sets_up_her_factor_and_sees_the_recovery_codes_once(alice: Operator, fresh: Any) -> None:
    client = fresh(alice)
    page = client.get("/accounts/2fa/totp/activate/").content.decode()
    assert 'src="data:image/svg+xml;base64,' in page
    assert "style=" not in page
    seed = client.session["mfa.totp.secret"]
    done = client.post("/accounts/2fa/totp/activate/", {"code": code_of(seed)})
    assert done["Location"] == "/accounts/2fa/recovery-codes/"
    codes = Authenticator.objects.get(user=alice, type="recovery_codes").wrap().get_unused_codes()
    once, again = (client.get("/accounts/2fa/recovery-codes/").content.decode() for _ in range(2))
    assert all(code in once for code in codes)
    assert not any(code in again for code in codes)


def test_seeds_are_not_in_the_database_as_they_are(alice: Operator) -> None:
    factor = set_up_factor(alice)
    stored = [str(a.data) for a in Authenticator.objects.filter(user=alice)]
    assert len(stored) == 2
    assert all("'v1:k1:" in data for data in stored)
    assert not any(SEED in data for data in stored)
    assert factor.wrap().validate_code(code_of(SEED))


def test_setting_up_a_factor_asks_a_fresh_sign_in(alice: Operator, as_operator: Any) -> None:
    client = as_operator(alice)
    make_fresh(client, ago_s=301)
    asked = client.get("/accounts/2fa/totp/activate/")
    assert (asked.status_code, asked["Location"]) == (
        303,
        "/accounts/reauthenticate/?next=%2Faccounts%2F2fa%2Ftotp%2Factivate%2F",
    )


def test_changing_the_password_ends_the_other_sessions(alice: Operator) -> None:
    here, there = sign_in("alice"), sign_in("alice")
    form = {
        "oldpassword": "a long enough passphrase",
        "password1": "quite another sentence",
        "password2": "quite another sentence",
    }
    assert here.post("/accounts/password/change/", form)["Location"] == "/operators/me/"
    assert (is_signed_in(here), is_signed_in(there)) == (True, False)


def test_signing_out_ends_the_session_and_clears_the_browser(alice: Operator) -> None:
    client = sign_in("alice")
    key = client.key
    out = client.post("/accounts/logout/")
    assert out["Clear-Site-Data"] == '"cache", "cookies", "storage"'
    assert not UserSession.objects.filter(session_key=key).exists()
    assert not is_signed_in(Visitor().steal(key))


def test_looking_at_the_sign_out_page_signs_nobody_out(alice: Operator) -> None:
    client = sign_in("alice")
    assert client.get("/accounts/logout/").status_code == 200
    assert is_signed_in(client)


def test_a_one_time_code_sets_a_password_once(charlie: Operator) -> None:
    code = people.new_code(charlie, by="dana")
    form = {
        "username": "charlie",
        "code": code.lower().replace("-", " "),
        "password1": "my own long password",
        "password2": "my own long password",
    }
    assert Client().post("/accounts/welcome/", form)["Location"] == "/accounts/login/"
    assert is_signed_in(sign_in("charlie", "my own long password"))
    assert Client().post("/accounts/welcome/", form).status_code == 422


@pytest.mark.parametrize(
    "change",
    [
        {"username": "bob"},
        {"code": "AAAAAA-AAAAAA-AAAAAA-AAAAAA"},
        {"password2": "another one than that"},
        {"password1": "short", "password2": "short"},
    ],
)
def test_a_code_opens_nothing_for_another_name_code_or_a_weak_password(
    charlie: Operator, bob: Operator, change: dict[str, str]
) -> None:
    code = people.new_code(charlie, by="dana")
    form = {
        "username": "charlie",
        "code": code,
        "password1": "my own long password",
        "password2": "my own long password",
    }
    assert Client().post("/accounts/welcome/", form | change).status_code == 422
    assert Invitation.objects.get().used_at is None
    assert is_signed_in(sign_in("charlie")), "the old password still is the password"


def test_a_code_is_kept_as_a_hash_and_an_older_one_stops_working(charlie: Operator) -> None:
    older, newer = people.new_code(charlie, by="dana"), people.new_code(charlie, by="dana")
    assert people.find_code("charlie", older) is None
    invitation = people.find_code("charlie", newer)
    assert invitation is not None
    assert newer.replace("-", "") not in str(vars(invitation))


def test_a_locked_operator_cannot_use_a_code(charlie: Operator) -> None:
    code = people.new_code(charlie, by="dana")
    people.lock(charlie, by="dana", reason="left the company")
    people.unlock(charlie, by="dana")
    assert people.find_code("charlie", code) is None
