"""A stream trimmed step by step: each page is kept, then removed by a script that asks every group once more."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from apps.engine import scripting
from apps.engine.connections.redis import RedisNode
from apps.engine.contracts.action import Moved, Progress
from apps.engine.contracts.archive import Record
from apps.engine.errors import Busy, Gone, NotPermitted
from apps.engine.files import lua_script
from apps.engine.text import plain
from apps.queues import stream_entries
from apps.queues.stream_entries import Entry
from apps.queues.stream_groups import after

TRIM = lua_script(Path(__file__).resolve().parent / "lua", "trim_stream")
AGAIN = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """How far a run is: its checkpoint and its result. `page` is the last page of the archive that is counted in it."""

    removed_count: int = 0
    size_bytes: int = 0
    page: int = -1

    def and_(self, sizes: Sequence[int], *, page: int) -> Done:
        return Done(removed_count=self.removed_count + len(sizes), size_bytes=self.size_bytes + sum(sizes), page=page)


def trim(node: RedisNode, stream: bytes, *, through: bytes, most: int, database: int, progress: Progress) -> Done:
    """Remove everything up to and with `through`, at most `most` entries; an interrupted run goes on where it was.

    Cost: an XRANGE and a script a page, paced. Errors: Moved when a group needs what would go, Busy when others remove entries
    all the time, and those of check().
    """
    done = _settled(node, stream, progress, progress.resumed(Done) or Done())
    largest, failures_count = stream_entries.page_size(node, stream), 0
    while done.removed_count < most:
        progress.step(done.removed_count, total_count=most)
        count = min(largest, progress.pacer.page_size, most - done.removed_count)
        page = _page(node, stream, through, count, progress)
        if not page:
            break
        further = _step(node, stream, page, through=through, database=database, progress=progress, done=done)
        failures_count = 0 if further else failures_count + 1
        if failures_count > AGAIN:
            raise Busy("Others remove entries of this stream all the time.", way_out="Stop what trims it.")
        done = further or done
        progress.pacer.rest()
    progress.step(done.removed_count, total_count=most)
    return done


def _page(node: RedisNode, stream: bytes, through: bytes, count: int, progress: Progress) -> list[Entry]:
    command = stream_entries.asking(stream, begin=b"-", end=through, count=count)
    return stream_entries.entries_of(scripting.answer(progress.pacer.page(node, [command])[0]))


def _step(
    node: RedisNode,
    stream: bytes,
    page: Sequence[Entry],
    *,
    through: bytes,
    database: int,
    progress: Progress,
    done: Done,
) -> Done | None:
    """Keep a page, then remove it. None when others removed some of it meanwhile: it is looked at again."""
    records = [stream_entries.record(entry, run=progress.run_number, database=database) for entry in page]
    kept = progress.archive.append(records)
    progress.check()
    answer = _removed(node, stream, through, page, progress)
    if answer[0] != 1:
        progress.archive.settle(kept, ())
        if answer[0] == -4:
            return None
        raise _refusal(answer)
    done = done.and_([stream_entries.size_of(entry) for entry in page], page=kept)
    progress.checkpoint(done)
    progress.archive.settle(kept)
    return done


def _removed(node: RedisNode, stream: bytes, through: bytes, page: Sequence[Entry], progress: Progress) -> list[Any]:
    command = scripting.calling(TRIM, keys=[stream], arguments=[through, after(page[-1][0]), len(page)])
    reply = progress.pacer.page(node, [command])[0]
    if scripting.is_unknown(reply):
        scripting.load(node, TRIM)
        reply = progress.pacer.page(node, [command])[0]
    return list(scripting.answer(reply))


def _refusal(answer: Sequence[Any]) -> Exception:
    """Why nothing more is removed, by the answer of trim_stream.lua."""
    if answer[0] == -3:
        group = plain(answer[1], most=60)
        return Moved(
            f"The group {group} needs entries that would go: it was made or set back meanwhile. They were left.",
            way_out="Plan it again.",
        )
    return {
        -1: Gone("The stream is gone: somebody deleted it meanwhile."),
        -2: Moved("The stream has no group any more, so nothing says what was read. The rest was left."),
        -5: NotPermitted("This account may not trim this stream.", missing="+xtrim"),
    }.get(int(answer[0]), Busy("The script gave an answer that nobody knows."))


def _settled(node: RedisNode, stream: bytes, progress: Progress, done: Done) -> Done:
    """What a worker that was killed between keeping and settling has left open: the stream says what became of it."""
    open_page = progress.archive.unsettled()
    if open_page is None:
        return done
    number, records = open_page
    there = {
        entry[0]
        for entry in stream_entries.entries_of(
            node.command("XRANGE", stream, records[0].name, records[-1].name, "COUNT", len(records))
        )
    }
    gone = [index for index, record in enumerate(records) if record.name not in there]
    if number != done.page:  # it was removed, and the worker ended before it could say so
        done = done.and_([_size_of(records[index]) for index in gone], page=number)
        progress.checkpoint(done)
    progress.archive.settle(number, gone)
    progress.log(f"The page that was open when the worker ended: {len(gone)} of {len(records)} entries were removed.")
    return done


def _size_of(record: Record) -> int:
    return stream_entries.size_of((record.name, stream_entries.kept(record).fields))
