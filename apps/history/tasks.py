"""Looks at every server, every few seconds, in the sampling worker."""
