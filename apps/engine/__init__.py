"""Talks to servers. A library: it knows neither Django nor Celery, so it can be read, tested and used on its own."""
