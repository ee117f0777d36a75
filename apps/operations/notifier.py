"""What the notifier does with one message: look whether it may still be told, send it, and note how that went."""

from __future__ import annotations

from apps.operations import outbox
from apps.operations.channels import CHANNELS, NotDelivered
from apps.operations.models import Message
from apps.servers.access import visible_servers


def deliver(pk: int) -> None:
    """One try of one message. Nothing when it was delivered already, or somebody else is at it."""
    message = outbox.claim(pk)
    if message is None:
        return
    if not _may_still_know(message):
        outbox.failed(message, "Not sent: this person may no longer know of that server.", for_good=True)
        return
    try:
        CHANNELS[message.channel](message)
    except NotDelivered as error:
        outbox.failed(message, str(error), for_good=error.for_good, wait_s=error.wait_s)
    except Exception as error:  # whatever it was, the message is tried again and the class is shown
        outbox.failed(message, f"The console made a mistake ({type(error).__name__}).")
        raise
    else:
        outbox.delivered(message)


def _may_still_know(message: Message) -> bool:
    """A message to a person is about what they may see now, not when it happened. Cost: three queries."""
    operator, server_key = message.operator, message.payload.get("server", "")
    if operator is None:
        return True
    return operator.may_sign_in and (
        not server_key or any(server.key == server_key for server in visible_servers(operator))
    )
