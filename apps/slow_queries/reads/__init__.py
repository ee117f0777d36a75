"""What is slow: Redis' slow log, command statistics and latency events; PostgreSQL's statement statistics."""
