"""Patterns of keys: the engine's, by the name they have here."""

from apps.engine.glob import MOST_PATTERN_BYTES, MOST_STARS, Glob, PatternRefused, compiled, escaped

__all__ = ["MOST_PATTERN_BYTES", "MOST_STARS", "Glob", "PatternRefused", "compiled", "escaped"]
