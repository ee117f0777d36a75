"""Hears of what other parts of the console decide, and writes it down."""
