"""Layer 4: events → the bytes that a kind of client expects."""
