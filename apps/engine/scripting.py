"""Lua scripts of the console, run on a server by their name, and loaded there when it does not know them.

A script is not rolled back when a command in it is refused: each one asks for its rights before its first write, as far as the
version can tell, and writes in an order that loses nothing.
"""

from __future__ import annotations

from collections.abc import Sequence

from apps.engine.connections.redis import Argument, Command, RedisNode, Reply
from apps.engine.errors import CommandFailed, EngineError, NotPermitted
from apps.engine.files import Script


def calling(script: Script, *, keys: Sequence[Argument], arguments: Sequence[Argument] = ()) -> Command:
    """The command that runs a script which the server knows."""
    return ("EVALSHA", script.sha, len(keys), *keys, *arguments)


def shown(script: Script, *keys: str) -> str:
    """The same for people: the script by its name."""
    return " ".join(["EVALSHA", f"<{script.name}.lua>", str(len(keys)), *keys, "…"])


def load(node: RedisNode, script: Script) -> None:
    """Cost: one command. Errors: NotPermitted without +script|load."""
    node.command("SCRIPT", "LOAD", script.text)


def call(node: RedisNode, script: Script, *, keys: Sequence[Argument], arguments: Sequence[Argument] = ()) -> Reply:
    """Run a script. Cost: one command, three the first time. Errors: NotPermitted, also for what the script may not run."""
    command = calling(script, keys=keys, arguments=arguments)
    reply = node.pipeline([command])[0]
    if is_unknown(reply):
        load(node, script)
        reply = node.pipeline([command])[0]
    return answer(reply)


def is_unknown(reply: Reply | EngineError) -> bool:
    """The server was restarted, or its scripts were flushed: load it again."""
    return isinstance(reply, CommandFailed) and "No matching script" in reply.message


def answer(reply: Reply | EngineError) -> Reply:
    """A script's answer. Errors: those of the command; NotPermitted where the account may not run one of the script's commands."""
    if isinstance(reply, CommandFailed) and _was_denied(reply.message):
        raise NotPermitted("This account may not run every command of the script.", way_out="See docs/permissions.md.")
    if isinstance(reply, EngineError):
        raise reply
    return reply


def _was_denied(message: str) -> bool:
    """7.0 and newer say so in so many words; 6.x in others."""
    return "ACL failure in script" in message or "can't run this command" in message or "NOPERM" in message
