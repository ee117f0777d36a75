"""Questions about the state of one node: what it holds, what it would lose, how it is set. Nothing here writes."""
