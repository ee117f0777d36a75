"""A sealed file is whole or it is told: cut anywhere, changed anywhere, moved, or opened with another key."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from apps.backups import sealed_file
from apps.backups.rdb import RdbCheck
from apps.backups.sealed_file import BackupBroken, SealedWriter, StoreFull, opened, sha256_of

KEY, OTHER, BACKUP = b"k" * 32, b"o" * 32, b"b" * 16
CONTENT = os.urandom(3 * sealed_file.CHUNK_BYTES + 77)


def room(_: int) -> None: ...


@pytest.fixture
def path(tmp_path: Path) -> Path:
    writer = SealedWriter(tmp_path / "part", key=KEY, backup=BACKUP, part="dump.rdb", room=room)
    for at in range(0, len(CONTENT), 100_000):
        writer.write(CONTENT[at : at + 100_000])
    sealed = writer.finish()
    assert sealed.sha256 == sha256_of(tmp_path / "part")
    assert (sealed.size_bytes, sealed.plain_bytes) == ((tmp_path / "part").stat().st_size, len(CONTENT))
    return tmp_path / "part"


def whole(path: Path, *, keys: tuple[bytes, ...] = (KEY,), backup: bytes = BACKUP, part: str = "dump.rdb") -> bytes:
    return b"".join(opened(path, keys=keys, backup=backup, part=part))


def test_what_was_written_comes_back_with_any_of_the_keys(path: Path) -> None:
    assert whole(path) == CONTENT and whole(path, keys=(OTHER, KEY)) == CONTENT


def ends_of_frames(content: bytes) -> list[int]:
    ends, at = [sealed_file.HEADER.size], sealed_file.HEADER.size
    while at < len(content):
        at += 5 + int.from_bytes(content[at : at + 4], "big")
        ends.append(at)
    return ends


def test_cut_anywhere_and_between_frames_it_is_told(path: Path) -> None:
    content = path.read_bytes()
    ends = ends_of_frames(content)
    assert ends[-1] == len(content) and len(ends) > 4
    for size in {0, 5, sealed_file.HEADER.size - 1, *ends[:-1], *(end - 1 for end in ends), len(content) // 2}:
        path.write_bytes(content[:size])
        with pytest.raises(BackupBroken):
            whole(path)


def test_one_changed_bit_anywhere_is_told(path: Path) -> None:
    content = path.read_bytes()
    ends = ends_of_frames(content)
    for at in {0, 9, 30, *(end + 6 for end in ends[:-1]), *(end + 4 for end in ends[:-1]), len(content) - 1}:
        changed = bytearray(content)
        changed[at] ^= 1
        path.write_bytes(changed)
        with pytest.raises(BackupBroken):
            whole(path)


def test_frames_in_another_order_left_out_or_added_are_told(path: Path) -> None:
    content = path.read_bytes()
    ends = ends_of_frames(content)
    first, second = content[ends[0] : ends[1]], content[ends[1] : ends[2]]
    for other in (
        content[: ends[0]] + second + first + content[ends[2] :],
        content[: ends[0]] + content[ends[1] :],
        content + second,
    ):
        path.write_bytes(other)
        with pytest.raises(BackupBroken):
            whole(path)


def test_it_opens_as_no_other_part_and_no_other_backup_and_with_no_other_key(path: Path) -> None:
    with pytest.raises(BackupBroken, match="is not at hand"):
        whole(path, keys=(OTHER,))
    with pytest.raises(BackupBroken):
        whole(path, part="roles.sql")
    with pytest.raises(BackupBroken, match="another backup"):
        whole(path, backup=b"c" * 16)


def test_what_unpacks_to_a_thousand_times_its_size_comes_in_small_blocks(tmp_path: Path) -> None:
    writer = SealedWriter(tmp_path / "part", key=KEY, backup=BACKUP, part="p", room=room)
    for _ in range(200):
        writer.write(bytes(1024 * 1024))
    assert writer.finish().size_bytes < 100_000
    sizes = [len(block) for block in opened(tmp_path / "part", keys=(KEY,), backup=BACKUP, part="p")]
    assert max(sizes) <= sealed_file.CHUNK_BYTES and sum(sizes) == 200 * 1024 * 1024


def test_room_is_asked_before_each_write(tmp_path: Path) -> None:
    def full(more_bytes: int) -> None:
        if more_bytes > 1000:
            raise StoreFull("full")

    writer = SealedWriter(tmp_path / "part", key=KEY, backup=BACKUP, part="p", room=full)
    with pytest.raises(StoreFull):
        writer.write(CONTENT)


# -- the RDB itself ----------------------------------------------------------------------------------------------------


RDB = bytes.fromhex("524544495330303039fa0972656469732d76657206362e322e3134fa056374696d65c2a8d1a367ff")


def checked(content: bytes, *, step: int = 7) -> RdbCheck:
    check = RdbCheck()
    for at in range(0, len(content), step):
        check.feed(content[at : at + step])
    return check


def signed(body: bytes) -> bytes:
    from apps.backups.rdb import _CRC

    return body + int(_CRC.calc(body)).to_bytes(8, "little")


@pytest.mark.parametrize("step", [1, 7, 8, 9, 1000])
def test_an_rdb_is_checked_however_it_is_cut_into_blocks(step: int) -> None:
    found = checked(signed(RDB), step=step).finish()
    assert found.has_checksum and found.version == 9 and found.facts["redis-ver"] == "6.2.14"
    assert found.as_of is not None and found.as_of.year == 2025


def test_the_checksum_is_the_one_that_redis_computes() -> None:
    from apps.backups.rdb import _CRC

    assert _CRC.calc(b"123456789") == 0xE9C6D914C4B8D9CA


def test_an_rdb_that_was_changed_or_cut_is_told() -> None:
    content = bytearray(signed(RDB))
    content[20] ^= 1
    with pytest.raises(BackupBroken, match="checksum"):
        checked(bytes(content)).finish()
    with pytest.raises(BackupBroken, match="does not end"):
        checked(signed(RDB)[:-1]).finish()
    with pytest.raises(BackupBroken, match="no RDB"):
        checked(b"-ERR no").finish()
    with pytest.raises(BackupBroken):
        checked(b"").finish()


def test_one_without_a_checksum_is_told_apart() -> None:
    assert not checked(RDB + bytes(8)).finish().has_checksum
