"""Layer 2: the append-only log of each run's events."""
