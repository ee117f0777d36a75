"""Questions about who may do what on a server. Hashes of passwords are cut when they are parsed; nothing here writes."""
