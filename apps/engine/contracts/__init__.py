"""What the product can grow by, one short file each: adapter, probe."""
