"""What the sampler asks about queues: one file a kind of server."""
