"""Questions to one Redis node about its keys: frozen records back, nothing written, everything bounded."""
