"""Questions about backups: which programs are at hand, which fit a server, and where the files would go."""
