import pytest

from apps.engine.errors import SecretUnusable
from apps.engine.secretbox import SecretBox, kid_of, new_key


@pytest.fixture
def box() -> SecretBox:
    return SecretBox(new_key("k1"))


def test_what_was_sealed_opens_in_its_context_only(box: SecretBox) -> None:
    sealed = box.seal("pässword", "servers.Credential:1:secret:db:5432")
    assert box.open(sealed, "servers.Credential:1:secret:db:5432") == "pässword"
    for elsewhere in ("servers.Credential:2:secret:db:5432", "servers.Credential:1:secret:evil:5432", ""):
        with pytest.raises(SecretUnusable, match="another place"):
            box.open(sealed, elsewhere)


def test_two_seals_of_one_text_differ_and_show_nothing_of_it(box: SecretBox) -> None:
    one, two = box.seal("hunter2", "here"), box.seal("hunter2", "here")
    assert one != two
    assert "hunter2" not in one


def test_the_newest_key_seals_and_the_older_still_opens() -> None:
    old, new = new_key("k1"), new_key("k2")
    sealed = SecretBox(old).seal("x", "c")
    rotated = SecretBox(f"{new},{old}")
    assert rotated.open(sealed, "c") == "x"
    assert not rotated.is_current(sealed)
    again = rotated.seal("x", "c")
    assert (kid_of(again), rotated.is_current(again)) == ("k2", True)
    with pytest.raises(SecretUnusable, match="k2"):
        SecretBox(old).open(again, "c")


def test_a_key_of_the_same_name_and_other_bytes_does_not_open(box: SecretBox) -> None:
    with pytest.raises(SecretUnusable, match="another place"):
        SecretBox(new_key("k1")).open(box.seal("x", "c"), "c")


@pytest.mark.parametrize("flipped", range(-6, -2))
def test_a_changed_byte_is_noticed(box: SecretBox, flipped: int) -> None:
    sealed = box.seal("a longer secret text", "c")
    other = "A" if sealed[flipped] != "A" else "B"
    with pytest.raises(SecretUnusable):
        box.open(sealed[:flipped] + other + sealed[flipped + 1 :], "c")


@pytest.mark.parametrize(
    "nonsense", ["", "plain", "v1:k1:AAAA", "v2:k1:AAAAAAAAAAAAAAAA:AAAA", "v1:k1:@@:@@", "v1:k1::"]
)
def test_what_is_no_sealed_text_is_refused(box: SecretBox, nonsense: str) -> None:
    with pytest.raises(SecretUnusable, match="cannot be read"):
        box.open(nonsense, "c")


@pytest.mark.parametrize("keys", ["", "k1", "k1:AAAA", "K 1:" + "A" * 43 + "=", "k1:not base64"])
def test_bad_keys_stop_the_start_and_are_not_repeated(keys: str) -> None:
    with pytest.raises(ValueError, match="key") as caught:
        SecretBox(keys)
    assert not keys or keys not in str(caught.value)


def test_one_name_for_two_keys_is_refused() -> None:
    with pytest.raises(ValueError, match="of its own"):
        SecretBox(f"{new_key('k1')},{new_key('k1')}")


def test_the_representation_shows_no_key() -> None:
    word = new_key("k1")
    assert word.split(":")[1] not in repr(SecretBox(word))
