"""Who is connected and what they do: Redis' clients; PostgreSQL's sessions, and who of them waits for whom."""
