"""What the plans of all changes of users have in common: nodes, clients, words before and after, what is saved."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from apps.acl import grammar
from apps.acl.grammar import Rules
from apps.acl.nodes import Client, Node, Nodes
from apps.acl.reads.rules import User, user_of
from apps.acl.reads.words import Sentence as Said
from apps.acl.reads.words import describe, trouble
from apps.engine import redact
from apps.engine.contracts.action import Refused
from apps.engine.contracts.params import param
from apps.engine.contracts.plan import Amount, Cell, Fact, Figure, Sentence, Table, exactly, say, unknown
from apps.engine.errors import Gone
from apps.engine.text import plain

SHOWN_CLIENTS = 12
LABELS = {
    "sign-in": "Sign-in",
    "keys": "Keys",
    "commands": "Commands",
    "channels": "Channels",
    "databases": "Databases",
}
# Faults in the server's own handling of rules: CVE-2024-31227 (selectors) and CVE-2024-31228 (patterns).
FIXED = {(6, 2): 16, (7, 2): 6, (7, 4): 1}


def without_missing() -> Any:
    """A field of every change."""
    return param(
        "Also without some nodes",
        default=False,
        help="Goes on without those that do not answer. The change is then partial; planning it again later does the rest.",
    )


def disconnect() -> Any:
    return param(
        "Also end its clients",
        default=False,
        help="Without it, connections that are open stay as they are until they end.",
    )


def default_too() -> Any:
    return param(
        "Also the user default",
        default=False,
        help="Asked for where it is taken its sign-in: clients that do not sign in are this user.",
    )


def replication_too() -> Any:
    return param(
        "Also a user of the replication",
        default=False,
        help="Asked for where replicas or Sentinel sign in as it.",
    )


def check_there(nodes: Nodes, *, name: bytes) -> None:
    """Errors: Gone where no node has the user."""
    if not nodes.holders:
        raise Gone(f"No node has a user {plain(name, most=60)}.", way_out="It may have been removed; look at the list.")


def check_versions(nodes: Nodes, rules: Rules) -> None:
    """Errors: Refused for rules that a node's version does not know."""
    for node in nodes.there:
        if why := grammar.unsupported(rules, node.version):
            raise Refused(f"Redis {node.told} at {node.address} {why}.", field=grammar.FIELD)


# -- figures and facts -------------------------------------------------------------------------------------------------


def nodes_figure(nodes: Nodes, label: str = "Nodes") -> Figure:
    missing = f"{len(nodes.missing)} more do not answer" if nodes.missing else "each for itself: users do not replicate"
    return Figure(label=label, amount=exactly(len(nodes.there)), note=say(missing), grave=bool(nodes.missing))


def clients_figure(nodes: Nodes, *, grave: bool = False) -> Figure:
    return Figure(label="Signed in as it now", amount=clients_amount(nodes), grave=grave and bool(nodes.clients))


def clients_amount(nodes: Nodes) -> Amount:
    clients = nodes.clients
    if clients is None:
        return unknown(next((node.clients_reason for node in nodes.there if node.clients is None), ""), "clients")
    return exactly(len(clients), "clients")


def clients_table(nodes: Nodes) -> Table | None:
    """Who is signed in as the user, node by node."""
    rows = [(node, client) for node in nodes.there for client in node.clients or ()]
    if not rows:
        return None
    said = f"{min(SHOWN_CLIENTS, len(rows))} of {len(rows)} clients that are signed in as it now"
    several = nodes.count > 1
    return Table(
        columns=("Client", "Ran last", "From", *(("On",) if several else ())),
        rows=tuple(_client_row(node, client, several=several) for node, client in rows[:SHOWN_CLIENTS]),
        said=said,
    )


def _client_row(node: Node, client: Client, *, several: bool) -> tuple[Cell, ...]:
    return (
        Cell(name=client.name) if client.name else Cell(text="no name"),
        Cell(name=client.command),
        Cell(name=client.address),
        *((Cell(text=str(node.address)),) if several else ()),
    )


def node_facts(nodes: Nodes) -> tuple[Fact, ...]:
    """Where nodes disagree now, what does not answer, what will not outlive a restart, and faults of old servers."""
    facts = []
    if why := _disagreement(nodes):
        facts.append(Fact(label="Nodes disagree now", words=say(why), signal="warn"))
    if nodes.missing:
        named = ", ".join(str(address) for address, _ in nodes.missing)
        facts.append(Fact(label="Left out", words=say(f"{named} does not answer and stays as it is"), signal="warn"))
    facts.append(Fact(label="Saved", words=say(_saving(nodes))))
    return tuple(facts)


def _disagreement(nodes: Nodes) -> str:
    lacking = [str(node.address) for node in nodes.there if node.definition is None]
    if lacking and len(lacking) < len(nodes.there):
        return f"{', '.join(lacking)} has no such user"
    first = nodes.there[0].mark
    others = [str(node.address) for node in nodes.there[1:] if node.mark != first]
    return f"{', '.join(others)} holds it with another rule or password than the first node" if others else ""


def _saving(nodes: Nodes) -> str:
    keeps = [node for node in nodes.there if node.saves]
    loses = [str(node.address) for node in nodes.there if node.saves is False]
    if not loses and len(keeps) == len(nodes.there):
        return "by ACL SAVE on each node"
    words = "by ACL SAVE where a node has an ACL file"
    if loses:
        words += (
            f"; on {', '.join(loses)} the change lives until it restarts, and the file of its settings stays as it is"
        )
    return words


def old_server_facts(nodes: Nodes, rules: Rules) -> tuple[Fact, ...]:
    old = [node for node in nodes.there if rules.selectors and _is_faulty(node.told)]
    if not old:
        return ()
    words = f"Redis {old[0].told} has known faults in selectors (CVE-2024-31227): update it before giving such rules"
    return (Fact(label="Old server", words=say(words), signal="warn"),)


def _is_faulty(told: str) -> bool:
    parts = [int(part) for part in told.split(".")[:3] if part.isdigit()]
    if len(parts) < 3 or ((parts[0], parts[1]) >= (7, 4) and parts[2] >= 1) or parts[0] > 7:
        return False
    return parts[2] < FIXED.get((parts[0], parts[1]), 10_000)


# -- words -------------------------------------------------------------------------------------------------------------


def user_with(name: bytes, rules: Rules, *, is_on: bool, passwords: Sequence[bytes], version: tuple[int, int]) -> User:
    """The user that these rules would make, for words."""
    return user_of(
        name,
        [b"on" if is_on else b"off", *passwords, *rules.words],
        rules.selectors,
        knows_channels=version >= (6, 2),
    )


def words_facts(before: User | None, after: User) -> tuple[Fact, ...]:
    """Everything that a person has to know, before and after where it differs."""
    was = _by_label(describe(before)) if before else {}
    will = _by_label(describe(after))
    facts = []
    for label in dict.fromkeys([*will, *was]):
        old, new = was.get(label), will.get(label)
        if old == new or before is None:
            facts.append(Fact(label=label, words=(*(new or ()), *(() if before is None else say(" As now.")))))
        else:
            facts.append(Fact(label=f"{label} now", words=old or say("none")))
            facts.append(Fact(label=f"{label} then", words=new or say("none")))
    return tuple(facts)


def _by_label(sentences: Sequence[Said]) -> dict[str, Sentence]:
    """The user itself by what it is about; its selectors together."""
    found: dict[str, Sentence] = {}
    label = ""
    for said in sentences:
        if said.about == "selector":
            label = "Selectors"
        key = label or LABELS[said.about]
        spoken = say(*(part.text if part.name is None else part.name for part in said.parts))
        found[key] = (*found[key], *say(" "), *spoken) if key in found else spoken
    return found


def rule_facts(before: Rules | None, after: Rules) -> tuple[Fact, ...]:
    """The words that go and come, as they are written."""
    if before is None:
        return (Fact(label="Rules", words=_listed(after.arguments())),)
    gone, come = grammar.differences(before, after)
    facts = [
        Fact(label=label, words=_listed(words)) for label, words in (("Taken away", gone), ("Added", come)) if words
    ]
    return tuple(facts) or (Fact(label="Rules", words=say("the same words as now")),)


def _listed(words: Sequence[bytes]) -> Sentence:
    pieces: list[str | bytes] = []
    for word in words:
        pieces += [" ", word] if pieces else [word]
    return say(*pieces)


def warnings_of(user: User) -> tuple[Sentence, ...]:
    """What the page of users would warn of."""
    signal, reason = trouble(user)
    if signal not in ("crit", "warn"):
        return ()
    words = "Whoever reaches the port may be this user" if user.is_open else reason
    return (
        say(f"{words}." if not user.scope.is_unlimited or not user.is_open else f"{words}, and may do everything."),
    )


def commands(
    words: Sequence[bytes | str] | None, *, name: bytes, nodes: Nodes, tries: bool, ends: bool, deletes: bool = False
) -> tuple[str, ...]:
    """Exactly what each node is told, passwords as their length."""
    lines = []
    if tries:
        lines += [
            "ACL SETUSER __signalbox_<random> reset off <the same rules>",
            "ACL DRYRUN __signalbox_<random> <each command of the comparison>",
            "ACL DELUSER __signalbox_<random>",
        ]
    told = ("ACL", "DELUSER", name) if deletes else ("ACL", "SETUSER", name, *(words or ()))
    lines.append(redact.shown(told))
    if any(node.saves is not False for node in nodes.there):
        lines.append("ACL SAVE")
    if ends:
        lines.append(redact.shown(("CLIENT", "KILL", "USER", name)))
    return tuple(lines)


def on_nodes(count: int, nodes: Nodes) -> str:
    """The end of what a button says; empty where there is only one node."""
    if nodes.count == 1:
        return ""
    return " on 1 node" if count == 1 else f" on {count} nodes"


def shown(name: bytes) -> str:
    return plain(name, most=48)
