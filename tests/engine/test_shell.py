"""Starting processes: bounded in time and output, in their own group, with a clean environment."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import pytest

from apps.engine.connections import shell
from tests.engine.test_embedded_redis import is_alive, wait_until


def python(program: str, **options: object) -> shell.Finished:
    return shell.run([sys.executable, "-c", program], **{"timeout_s": 20, **options})  # type: ignore[arg-type]


def test_words_reach_the_program_unchanged_by_any_shell() -> None:
    words = ["$HOME", "; rm -rf x", "a b", "*", "'\""]
    done = shell.run([sys.executable, "-c", "import sys; print(sys.argv[1:])", *words], timeout_s=20)
    assert done.text.strip() == repr(words)


def test_our_secrets_do_not_reach_the_program(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET_KEY", "hidden")
    monkeypatch.setenv("PGPASSWORD", "hidden")
    assert "hidden" not in python("import os; print(dict(os.environ))").text


def test_a_flood_is_cut_to_its_tail() -> None:
    done = python("import sys; sys.stdout.write('x' * 3_000_000 + 'END')", cap_bytes=1000)
    assert len(done.output) == 1000 and done.output.endswith(b"END") and done.truncated


def test_input_is_given_even_when_the_program_answers_first() -> None:
    done = python("import sys; d = sys.stdin.read(); sys.stdout.write(d); sys.stderr.write(d)", stdin=b"y" * 200_000)
    assert done.output == done.errors == b"y" * 200_000


def test_a_failure_has_the_last_words() -> None:
    with pytest.raises(shell.ProcessFailed, match="code 3: no disk left"):
        python("import sys; print('no disk left', file=sys.stderr); sys.exit(3)")


def test_a_missing_program_is_told() -> None:
    with pytest.raises(shell.ProcessFailed, match="could not be started"):
        shell.run(["/nowhere/program"], timeout_s=1)


def test_a_program_that_takes_too_long_is_ended_with_its_children(tmp_path: Path) -> None:
    child = tmp_path / "child"
    program = (
        "import subprocess, sys, time, pathlib\n"
        "p = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])\n"
        f"pathlib.Path({str(child)!r}).write_text(str(p.pid)); time.sleep(60)\n"
    )
    began = time.monotonic()
    with pytest.raises(shell.ProcessFailed, match="did not end within 1 s"):
        python(program, timeout_s=1)
    assert time.monotonic() - began < 10
    assert wait_until(lambda: not is_alive(int(child.read_text())))


def test_stop_kills_what_ignores_the_signal(tmp_path: Path) -> None:
    ready = tmp_path / "ready"
    program = (
        "import signal, time, pathlib; signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        f"pathlib.Path({str(ready)!r}).touch(); time.sleep(60)"
    )
    process = shell.start([sys.executable, "-c", program])
    assert wait_until(ready.exists)
    assert process.stop(timeout_s=0.3) == -9
    assert not is_alive(process.pid)


def test_a_process_leads_its_own_group() -> None:
    with shell.start(["sleep", "30"]) as process:
        assert os.getpgid(process.pid) == process.pid != os.getpgrp()
