"""The only routes through which a server is changed, and the pages on which one watches, agrees and looks back."""
