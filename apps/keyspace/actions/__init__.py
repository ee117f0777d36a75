"""What a click may do to keys."""
