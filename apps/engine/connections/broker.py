"""The console's own broker, for those parts that speak to it without Celery. Never a managed server."""

from __future__ import annotations

from urllib.parse import parse_qs, urlencode, urlsplit

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

TIMEOUT_S = 2.0
# What a broker that is down, full or being loaded raises.
BrokerErrors = (redis.exceptions.RedisError, OSError)


def broker_url(celery_url: str) -> str:
    """Celery's address of a Redis in redis-py's words: a unix socket is called otherwise, and so is its database."""
    parts = urlsplit(celery_url)
    if parts.scheme != "redis+socket":
        return celery_url
    asked = parse_qs(parts.query)
    query = urlencode({"db": asked.get("virtual_host", ["0"])[0]})
    return f"unix://{parts.netloc}{parts.path}?{query}"


def broker_connection(celery_url: str) -> redis.Redis:
    """Cost: nothing until it is used; then one try, and two seconds where nobody answers. Errors: BrokerErrors."""
    return redis.Redis.from_url(
        broker_url(celery_url),
        socket_timeout=TIMEOUT_S,
        socket_connect_timeout=TIMEOUT_S,
        retry=Retry(NoBackoff(), 0),
    )
