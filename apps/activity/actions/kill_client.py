"""End one client of a Redis: its connection is closed, by number and address."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from apps.activity.identity import ClientRef, own_users
from apps.activity.reads.chosen_client import ChosenClient, chosen_client
from apps.activity.reads.clients import Client
from apps.engine.connections.redis import RedisNode, redis_node
from apps.engine.contracts.action import Action, Moved, NoUndo, Planning, Progress, Refused, Tier
from apps.engine.contracts.params import param
from apps.engine.contracts.plan import Check, Ending, Fact, Figure, Outcome, Plan, Sentence, exactly, say
from apps.engine.errors import Gone
from apps.engine.target import Kind, Target
from apps.engine.text import plain
from apps.engine.units import duration_text, memory

CLOCKS_DIFFER_S = 2  # a client's age is told in whole seconds
LIFE = "start of the server"


@dataclass(frozen=True, slots=True, kw_only=True)
class Params:
    client: bytes = param("Client", fixed=True)
    node: str = param("Node", fixed=True, default="")


class KillClient(Action[Params]):
    key = "activity.kill_client"
    title = "End a client"
    verb = "End"
    icon = "x"
    kind = Kind.REDIS
    tier = Tier.T3
    permission = "sessions.end"
    feature = "activity.kill"
    params = Params
    undo = NoUndo("A connection that was closed is gone; most clients connect again by themselves.")
    never = "Any other client, also where its number is another's after a restart; replication; the console's own."
    inline = True
    lost = "The client may have been ended or not."

    def plan(self, target: Target, params: Params, *, planning: Planning) -> Plan:
        """Shape: one client. Cost: three round trips; the whole list below Redis 6.2.

        Errors: Gone where it left; Refused for replication and the console's own. Source: CLIENT LIST, INFO server.
        """
        ref = ClientRef.of(params.client)
        with redis_node(target.named(params.node)) as node:
            found = chosen_client(node, ref)
        _check_may_be_ended(found, target)
        client = found.client
        return Plan(
            effect=f"End client {client.id}",
            of=_names(client),
            keep="Leave it",
            figures=_figures(client),
            facts=_facts(client),
            commands=(f"CLIENT KILL ID {ref.id} ADDR {plain(ref.address, most=120)} SKIPME yes",),
            warnings=_warnings(found),
            most_count=1,
            observed={LIFE: found.server_life, "connected at": str(found.begun_at_s)},
        )

    def checks(self, target: Target, params: Params, *, plan: Plan) -> Sequence[Check]:
        ref = ClientRef.of(params.client)
        try:
            with redis_node(target.named(params.node)) as node:
                found = chosen_client(node, ref)
        except Gone as gone:
            return [Check(label=f"The client {ref.id}", planned="there", now="gone", ok=False, words=gone.message)]
        planned, now = int(plan.observed["connected at"]), found.begun_at_s
        return [
            _same_life(plan, found.server_life),
            Check(
                label=f"The client {ref.id}",
                planned="there",
                now="there" if abs(planned - now) <= CLOCKS_DIFFER_S else "another",
                ok=abs(planned - now) <= CLOCKS_DIFFER_S,
                words="by when it connected, to the second",
            ),
        ]

    def run(self, target: Target, params: Params, *, plan: Plan, progress: Progress) -> Outcome:
        """Server and client are compared on the connection that ends it: a restart would have closed that as well."""
        ref = ClientRef.of(params.client)
        with progress.redis(target.named(params.node).address) as node:
            found = chosen_client(node, ref)
            _check_may_be_ended(found, target)
            if not _same_life(plan, found.server_life).ok:
                raise Moved("The server was started again since. Nothing was done.", way_out="Plan it again.")
            progress.check()
            _end(node, ref)
        progress.step(1, total_count=1)
        return Outcome(
            ending=Ending.DONE,
            said=say(f"Ended client {ref.id}: ", *_said(found.client), "."),
            figures=(Figure(label="Clients ended", amount=exactly(1), note=say("of 1 planned")),),
        )


ACTION = KillClient()


def _end(node: RedisNode, ref: ClientRef) -> None:
    """Number and address have to be the same: the server compares both. Errors: Gone."""
    if not node.command("CLIENT", "KILL", "ID", ref.id, "ADDR", ref.address, "SKIPME", "yes"):
        raise Gone(f"The client {ref.id} has left by itself. Nothing was ended.")


def _same_life(plan: Plan, now: str) -> Check:
    planned = plan.observed[LIFE]
    return Check(label="Start of the server", planned=planned[:8], now=now[:8], ok=now == planned)


def _check_may_be_ended(found: ChosenClient, target: Target) -> None:
    """Errors: Refused for the console's own connections, and for both ends of a replication."""
    client = found.client
    if found.is_one_of(own_users(target)):
        raise Refused("It is a connection of this console.", way_out="It ends by itself when it is not used.")
    if client.is_replica:
        raise Refused(
            "It is a replica: ended, it would connect again and may have to copy everything.",
            way_out="Stop the replication on the replica, with REPLICAOF NO ONE.",
        )
    if client.is_primary:
        raise Refused(
            "It is the link to the primary that this node replicates.",
            way_out="Change the replication on the server itself.",
        )


def _said(client: Client) -> list[str | bytes]:
    words: list[str | bytes] = [client.name] if client.name else ["no name"]
    if client.user:
        words += [", user ", client.user]
    return [*words, ", from ", client.address]


def _names(client: Client) -> Sentence:
    return say(*_said(client))


def _figures(client: Client) -> tuple[Figure, ...]:
    connected = say(f"connected for {duration_text(client.age_s)}")
    figures = [Figure(label="Clients ended", amount=exactly(1), note=connected, grave=True)]
    if client.queued_count is not None:
        figures.append(
            Figure(
                label="Queued commands dropped", amount=exactly(client.queued_count), note=say("none of them was run")
            )
        )
    if client.output_bytes:
        figures.append(
            Figure(label="Answers dropped", amount=exactly(client.output_bytes, "B"), note=say("not sent yet"))
        )
    if client.subscriptions_count:
        note = say("what is sent until it is back is lost to it")
        figures.append(Figure(label="Subscriptions ended", amount=exactly(client.subscriptions_count), note=note))
    return tuple(figures)


def _facts(client: Client) -> tuple[Fact, ...]:
    facts = [
        Fact(label="It is", words=say(_state(client))),
        Fact(label="It ran last", words=say(client.command or b"-")),
    ]
    if client.library:
        facts.append(Fact(label="Library", words=say(client.library)))
    if client.output_bytes:
        facts.append(Fact(label="Output", words=say(f"{' '.join(memory(client.output_bytes))} wait to be sent")))
    return (*facts, Fact(label="Then", words=say(_then(client))))


def _state(client: Client) -> str:
    if client.queued_count is not None:
        return "in a transaction (MULTI)" + (f", silent for {duration_text(client.idle_s)}" if client.idle_s else "")
    if client.is_blocked:
        return f"blocked, for {duration_text(client.idle_s)}" if client.idle_s else "blocked"
    return client.state if not client.idle_s else f"{client.state}, silent for {duration_text(client.idle_s)}"


def _then(client: Client) -> str:
    if client.is_monitor:
        return "It sees no command of others any more, until it asks again."
    if client.is_blocked:
        return "What it waited for stays where it is, for whoever asks next."
    return "Most clients connect again at once. To keep one out, switch its user off."


def _warnings(found: ChosenClient) -> tuple[Sentence, ...]:
    if not found.client.is_own:
        return ()
    return (say("It calls itself by this console's name, and signed in as another user."),)
