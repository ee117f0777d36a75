"""Values are read for what they are; hostile ones cost little and run nothing."""

from __future__ import annotations

import gzip
import json
import os
import pickle
import random
import time
import tracemalloc
import zlib
from pathlib import Path

import pytest
import zstandard

from apps.keyspace.decoders import Decoded, View, decode

LIMIT_BYTES = 1_000_000


def text_of(decoded: Decoded) -> str:
    return "".join(run for run, _ in decoded.runs(most=10**9))


@pytest.mark.parametrize(
    ("raw", "steps"),
    [
        (b"EUR", ("text",)),
        (b"", ("text",)),
        ("żółć".encode(), ("text",)),
        (b"2310", ("integer",)),
        (b"-1.5", ("number",)),
        (b"1795144314", ("epoch s",)),
        (b"1795144314000", ("epoch ms",)),
        (b'{"a": 1}', ("JSON",)),
        (b"[1,2", ("text",)),
        (b"\x89PNG\r\n\x1a\n\x00", ("bytes",)),
        (b"\xff\xfe\xfd", ("bytes",)),
        (b"x\xffab", ("bytes",)),
        (zlib.compress(b'{"a": 1}'), ("zlib", "JSON")),
        (gzip.compress(b"hello", mtime=0), ("gzip", "text")),
        (zstandard.compress(b"[1]"), ("zstd", "JSON")),
        (gzip.compress(zlib.compress(b"inner text"), mtime=0), ("gzip", "zlib", "text")),
        (pickle.dumps({"a": 1}), ("pickle, not run",)),
    ],
)
def test_each_kind_is_recognised(raw: bytes, steps: tuple[str, ...]) -> None:
    assert decode(raw).steps == steps


def test_a_time_is_told_beside_the_number() -> None:
    assert decode(b"1795144314").hint == "20 Nov 2026 03:11:54 UTC"
    assert decode(b"1795144314000000").hint == "20 Nov 2026 03:11:54 UTC"
    assert decode(b"9" * 40).hint == ""


def test_json_is_laid_out_without_being_changed() -> None:
    source = '{"a":1.10,"a":123456789012345678901234567890,"s":"x\\u202e\\"y","e":[],"o":{"z":[1,{"q":null}]}}'
    told = text_of(decode(source.encode()))
    assert "".join(told.split()) == source
    assert told.splitlines()[1] == '  "a": 1.10,'
    assert '"e": [],' in told
    assert decode(source.encode()).hint == "5 fields"
    assert decode(b"[ ]").hint == "0 items"


@pytest.mark.parametrize("opening", [b"[", b'{"a":'])
def test_deep_json_is_shown_as_it_is(opening: bytes) -> None:
    raw = opening * 30_000
    begun = time.perf_counter()
    decoded = decode(raw)
    assert decoded.steps == ("text",)
    assert "deeper than 200" in decoded.problem
    assert decoded.body == raw
    assert time.perf_counter() - begun < 2


def test_json_at_the_edge_of_depth_is_still_laid_out_and_stays_small() -> None:
    raw = b"[" * 199 + b",".join([b"1"] * 20_000) + b"]" * 199
    decoded = decode(raw)
    assert decoded.steps == ("JSON",)
    assert decoded.cut
    assert len(decoded.body) < 300_000


def test_a_string_of_quotes_that_never_ends_costs_linear_time() -> None:
    begun = time.perf_counter()
    decode(b'["' + b'\\"' * 500_000)
    decode(b'{"a' + b'"\\' * 500_000)
    assert time.perf_counter() - begun < 3


def test_forced_json_says_when_it_is_none() -> None:
    assert decode(b"hello", view=View.JSON).problem == "This is not JSON."
    assert decode(b"1", view=View.TEXT).steps == ("text",)


# Bombs ------------------------------------------------------------------------------------------------------------


def peak_bytes(raw: bytes) -> tuple[Decoded, int]:
    tracemalloc.start()
    try:
        return decode(raw), tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("pack", [gzip.compress, zlib.compress], ids=["gzip", "zlib"])
def test_a_deflate_bomb_stops_early(pack: object) -> None:
    raw = pack(b"0" * 50_000_000)  # type: ignore[operator]
    decoded, peak = peak_bytes(raw)
    assert decoded.cut
    assert "Unpacking stopped" in decoded.problem
    assert decoded.unpacked_bytes == LIMIT_BYTES
    assert peak < 12_000_000


def test_a_zstd_frame_that_tells_its_size_is_not_believed() -> None:
    raw = zstandard.ZstdCompressor(write_content_size=True).compress(b"0" * 100_000_000)
    assert len(raw) < 50_000
    decoded, peak = peak_bytes(raw)
    assert decoded.cut
    assert (decoded.unpacked_bytes or 0) <= LIMIT_BYTES
    assert peak < 12_000_000


def test_a_zstd_frame_that_wants_a_huge_window_is_refused() -> None:
    parameters = zstandard.ZstdCompressionParameters(window_log=27)
    stream = zstandard.ZstdCompressor(compression_params=parameters).compressobj(size=-1)
    raw = stream.compress(os.urandom(1000)) + stream.flush()
    assert decode(raw).steps == ("bytes",)


def test_a_small_bomb_stops_at_its_ratio() -> None:
    raw = gzip.compress(b"0" * 900_000)
    decoded = decode(raw)
    assert len(raw) < 2_000
    assert decoded.unpacked_bytes == len(raw) * 200
    assert decoded.problem == "Unpacking stopped at 200 times its size."


def test_a_bomb_of_bombs_is_unpacked_twice_at_most() -> None:
    raw = b"core"
    for _ in range(6):
        raw = gzip.compress(raw)
    assert decode(raw).steps == ("gzip", "gzip", "bytes")


def test_packed_data_that_ends_early_shows_what_came_out() -> None:
    noise = bytes(random.Random(3).choices(b"abcdefgh", k=20_000))
    decoded = decode(gzip.compress(noise)[:3_000])
    assert decoded.problem == "The packed data ends too early."
    assert noise.startswith(decoded.body)
    assert decoded.body


# Pickles ----------------------------------------------------------------------------------------------------------


class Canary:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, (str(self.path),)


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
@pytest.mark.parametrize("view", list(View))
def test_a_pickle_is_listed_and_never_run(tmp_path: Path, protocol: int, view: View) -> None:
    canary = tmp_path / "canary"
    raw = pickle.dumps(Canary(canary), protocol=protocol)
    for packed in (raw, zlib.compress(raw)):
        decoded = decode(packed, view=view)
        if view is View.AUTO:
            assert decoded.steps[-1] == "pickle, not run"
            assert "mkdir" in text_of(decoded).splitlines()[0]
    assert not canary.exists()


def test_a_long_pickle_is_listed_in_part() -> None:
    decoded = decode(pickle.dumps(list(range(10_000))))
    assert "stops after 400 opcodes" in decoded.problem
    assert decoded.body.count(b"\n") < 500


def test_a_pickle_of_a_giant_number_or_string_is_cut() -> None:
    decoded = decode(pickle.dumps([2 ** (8 * 20_000), "x" * 50_000]))
    assert "an integer of 160,001 bits" in text_of(decoded)
    assert len(decoded.body) < 2_000


def test_no_random_bytes_break_a_decoder() -> None:
    dice = random.Random(5)
    starts = [b"", b"\x80\x04", b"\x80\x02", b"\x1f\x8b\x08", b"\x28\xb5\x2f\xfd", b"x\x9c", b"{", b"[", b'"']
    for _ in range(3_000):
        raw = dice.choice(starts) + dice.randbytes(dice.randint(0, 60))
        for view in View:
            decoded = decode(raw, view=view, whole=dice.random() < 0.5)
            decoded.preview()
            decoded.runs()


def test_every_cut_of_a_real_pickle_is_survived() -> None:
    raw = pickle.dumps({"a": [1, 2.5, "x", b"y", (None, True)], "t": time.gmtime()})
    for end in range(len(raw)):
        decode(raw[:end])


# Text that lies ---------------------------------------------------------------------------------------------------


def test_what_cannot_be_seen_is_written_as_an_escape() -> None:
    decoded = decode(b"abc\xe2\x80\xaedef\xe2\x80\x8b")
    assert decoded.runs() == [("abc", False), ("\\u202e", True), ("def", False), ("\\u200b", True)]
    assert ("\\u202e", True) in decode(b'{"a": "\xe2\x80\xae"}').runs()


def test_line_breaks_stay_and_other_controls_do_not() -> None:
    assert text_of(decode(b"a\nb\x1b[31mc")) == "a\nb\\x1b[31mc"


def test_a_value_of_a_megabyte_previews_fast() -> None:
    raw = b"\xff" * 1_000_000
    begun = time.perf_counter()
    assert len("".join(run for run, _ in decode(raw).preview())) <= 160 * 4 + 1
    assert time.perf_counter() - begun < 0.5


def test_hex_shows_offsets_and_stops() -> None:
    assert text_of(decode(b"AB\x00", view=View.HEX)) == "00000000  41 42 00" + " " * 39 + "  AB·"
    assert decode(b"x" * 20_000, view=View.HEX).cut


def test_a_part_of_a_value_claims_nothing_that_needs_its_end() -> None:
    assert decode(json.dumps([1, 2]).encode(), whole=False).steps == ("text",)
    assert decode(b"12345", whole=False).steps == ("text",)
    assert decode("é".encode()[:1], whole=False).steps == ("bytes",)
    assert decode("abcé".encode()[:-1], whole=False).steps == ("text",)
