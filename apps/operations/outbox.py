"""From the outbox to the notifier: hands what is due to the queue `notifications`, and keeps the state of each message.

waiting -> handed -> delivering -> delivered, or back to waiting with a later time, or given up. Each step is one conditional
UPDATE, so of two that try one gets it. `next_at` says when a message is due again: for one that was handed over or is being
delivered, when it is taken for lost. So nothing is delivered twice as long as nobody is killed, and nothing is lost when
somebody is; a message carries the same `uid` each time, by which its receiver tells a second copy.
"""

from __future__ import annotations

from datetime import timedelta

import structlog
from django.conf import settings
from django.db.models import Count, QuerySet
from django.utils import timezone
from django_rq import get_queue
from rq import Queue
from rq.serializers import JSONSerializer

from apps.engine.connections.broker import BrokerErrors, broker_connection
from apps.operations.models import Message
from apps.operations.models.deliveries import MessageState

QUEUE = "notifications"
JOB = "apps.operations.notifier.deliver"
MOST_AT_ONCE = 200
JOB_TIMEOUT_S = 60
LOST_AFTER = timedelta(minutes=5)
LATE_AFTER = timedelta(minutes=10)
# After the first try, the second and so on; a message whose last try failed as well is given up.
BACKOFF_S = (30, 120, 600, 3600, 6 * 3600)
UNDER_WAY = (MessageState.WAITING, MessageState.HANDED, MessageState.DELIVERING)
log = structlog.get_logger(__name__)


def queue() -> Queue:
    """The queue of the notifier, on the console's own broker. Cost: nothing until it is used."""
    return get_queue(
        QUEUE, connection=broker_connection(settings.BROKER_URL), serializer=JSONSerializer, commit_mode="auto"
    )


def relay() -> int:
    """Hand what is due to the notifier's queue, oldest first; what the broker does not take keeps waiting.

    Returns how many were handed over. Cost: one query; an UPDATE and a round trip to the broker for each.
    """
    now = timezone.now()
    due = list(Message.objects.filter(state__in=UNDER_WAY, next_at__lte=now).order_by("next_at", "pk")[:MOST_AT_ONCE])
    if not due:
        return 0
    waiting = queue()
    try:
        if waiting.count >= MOST_AT_ONCE:  # the notifier is behind: more copies would not make it faster
            return 0
        return sum(_hand_over(message, waiting) for message in due)
    except BrokerErrors as error:
        log.warning("not handed over", error=type(error).__name__, waiting_count=len(due))
        return 0


def _hand_over(message: Message, to: Queue) -> bool:
    """Mark it first: its job may run before this function has returned."""
    now = timezone.now()
    seen = Message.objects.filter(pk=message.pk, state=message.state, next_at=message.next_at)
    if not seen.update(state=MessageState.HANDED, next_at=now + LOST_AFTER):
        return False
    try:
        to.enqueue(JOB, message.pk, job_timeout=JOB_TIMEOUT_S, ttl=LOST_AFTER.seconds, result_ttl=0, failure_ttl=3600)
    except BrokerErrors:
        Message.objects.filter(pk=message.pk, state=MessageState.HANDED).update(state=MessageState.WAITING, next_at=now)
        raise
    return True


def claim(pk: int) -> Message | None:
    """The message, ours alone for one try; None when it is not to be delivered (any more)."""
    handed = Message.objects.filter(pk=pk, state=MessageState.HANDED)
    if not handed.update(state=MessageState.DELIVERING, next_at=timezone.now() + LOST_AFTER):
        return None
    message = Message.objects.select_related("operator").get(pk=pk)
    message.tries_count += 1
    mine = Message.objects.filter(pk=pk, state=MessageState.DELIVERING, tries_count=message.tries_count - 1)
    return message if mine.update(tries_count=message.tries_count) else None


def _settle(message: Message, **values: object) -> bool:
    """Write how our try ended; nothing when another one has begun since."""
    mine = Message.objects.filter(pk=message.pk, state=MessageState.DELIVERING, tries_count=message.tries_count)
    return bool(mine.update(**values))


def delivered(message: Message) -> None:
    _settle(message, state=MessageState.DELIVERED, delivered_at=timezone.now(), error="")
    log.info("message delivered", message=message.pk, channel=message.channel, tries_count=message.tries_count)


def failed(message: Message, words: str, *, for_good: bool = False, wait_s: int = 0) -> None:
    """One try failed: again after the next pause, at least `wait_s`; given up after the last, or when it is for good."""
    last = for_good or message.tries_count > len(BACKOFF_S)
    pause_s = 0 if last else min(max(BACKOFF_S[message.tries_count - 1], wait_s), BACKOFF_S[-1])
    state = MessageState.GIVEN_UP if last else MessageState.WAITING
    _settle(message, state=state, next_at=timezone.now() + timedelta(seconds=pause_s), error=words[:300])
    log.warning("message not delivered", message=message.pk, channel=message.channel, why=words, given_up=last)


def try_again(messages: QuerySet[Message]) -> int:
    """Those of some messages that were given up, from the beginning. Returns how many."""
    given_up = messages.filter(state=MessageState.GIVEN_UP)
    return given_up.update(state=MessageState.WAITING, next_at=timezone.now(), tries_count=0)


def counts() -> dict[str, int]:
    """Messages by state; those that were delivered for as long as they are kept. Cost: one query over an index."""
    found = dict(Message.objects.order_by().values_list("state").annotate(Count("pk")))
    return {state.value: found.get(state.value, 0) for state in MessageState}


def late_count() -> int:
    """Messages that no notifier has tried for ten minutes: none runs, or it is far behind. Cost: one query over an index."""
    late = timezone.now() - LATE_AFTER
    return Message.objects.filter(state__in=UNDER_WAY, tries_count=0, created_at__lt=late).count()


def forget_old() -> None:
    """What was delivered after a week, what was given up after a month; in slices."""
    now = timezone.now()
    for state, days in ((MessageState.DELIVERED, 7), (MessageState.GIVEN_UP, 30)):
        old = Message.objects.filter(state=state, created_at__lt=now - timedelta(days=days))
        Message.objects.filter(pk__in=list(old.values_list("pk", flat=True)[:1000])).delete()
