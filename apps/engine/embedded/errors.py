"""What can go wrong with a private server, always with the way out."""

from __future__ import annotations

from apps.engine.errors import EngineError


class EmbeddedError(EngineError):
    """No binary was found, or a private server did not start. `way_out` says what to install or to look at."""

    kind = "embedded"
