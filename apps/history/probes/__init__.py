"""What the sampler asks: one file a probe."""
