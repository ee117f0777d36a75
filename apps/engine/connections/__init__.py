"""The only importers of the drivers (redis, psycopg), and shell.py, the only one that starts a process."""
