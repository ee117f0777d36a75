"""Ways to a person: each sends one message, or raises NotDelivered with words for the list of deliveries."""

from collections.abc import Callable, Mapping

from apps.operations.channels.failing import NotDelivered
from apps.operations.channels.mail import send_mail
from apps.operations.channels.webhook import post
from apps.operations.models import Message

CHANNELS: Mapping[str, Callable[[Message], None]] = {"email": send_mail, "webhook": post}
__all__ = ["CHANNELS", "NotDelivered"]
