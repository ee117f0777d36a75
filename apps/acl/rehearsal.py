"""New rules tried on a user that nobody can be, before a user that somebody is gets them."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, suppress

from apps.acl import decisions, definitions, grammar
from apps.acl.decisions import DRYRUN_SINCE
from apps.acl.grammar import Rules
from apps.engine.connections.redis import RedisNode
from apps.engine.contracts.action import Moved, Refused
from apps.engine.errors import CommandFailed, EngineError
from apps.engine.text import plain

PREFIX = b"__signalbox_"
Connect = Callable[[], AbstractContextManager[RedisNode]]


def rehearse(
    node: RedisNode,
    rules: Rules,
    *,
    version: tuple[int, int],
    argvs: Sequence[Sequence[bytes]],
    planned: str | None,
    connect: Connect,
    log: Callable[[str], object],
) -> Rules:
    """The rules as the node writes them. They are given to a user of a random name that is off and has no password, which is
    deleted again whatever happens.

    Cost: four round trips. Errors: Refused where the node does not take them, Moved where ACL DRYRUN differs from the plan.
    """
    shadow = PREFIX + secrets.token_hex(8).encode()
    try:
        _make(node, shadow, rules, version)
        if version >= DRYRUN_SINCE and planned is not None:
            _compare(node, shadow, argvs, planned, log)
        made = definitions.read(node, shadow)
    finally:
        _forget(node, shadow, connect, log)
    if made is None:
        raise Refused(f"{node.address} did not keep the user that the rules were tried on. Nothing was changed.")
    return made.rules


def _make(node: RedisNode, shadow: bytes, rules: Rules, version: tuple[int, int]) -> None:
    words = grammar.setting(rules, is_on=False, passwords=(), version=version)
    try:
        node.command("ACL", "SETUSER", shadow, *words)
    except CommandFailed as error:
        raise Refused(
            f"{node.address} does not take these rules: {error.message} Nothing was changed on any node.",
            way_out="Plan it with other rules.",
        ) from error


def _compare(
    node: RedisNode, shadow: bytes, argvs: Sequence[Sequence[bytes]], planned: str, log: Callable[[str], object]
) -> None:
    told = decisions.dry_run(node, shadow, argvs)
    if told is None:
        log(f"{node.address} does not let ACL DRYRUN be asked: only the words of the rules were tried there.")
        return
    index = decisions.first_difference(planned, told)
    if index is not None:
        shown = plain(b" ".join(argvs[index][:2]), most=80)
        then = "allows" if told[index] == decisions.ALLOWED else "denies"
        raise Moved(
            f"ACL DRYRUN of {node.address} {then} {shown}, otherwise than the plan. Nothing was changed on any node.",
            way_out="Plan it again.",
        )


def _forget(node: RedisNode, shadow: bytes, connect: Connect, log: Callable[[str], object]) -> None:
    """On a connection of its own where the first one broke."""
    with suppress(EngineError):
        node.command("ACL", "DELUSER", shadow)
        return
    with suppress(EngineError), connect() as other:
        other.command("ACL", "DELUSER", shadow)
        return
    log(f"The user {shadow.decode()} may be left on {node.address}; it is off and has no password.")
