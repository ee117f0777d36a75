"""A living demo: two private servers with real producers, workers and statements, for whoever wants to look around first.

It is one process (`manage.py demo`) that starts an embedded Redis and an embedded PostgreSQL, and children of it that run
the real frameworks. It is stopped like any process; its data stays in the data folder and is taken up again.
"""
