"""Layer 5: our own readers, for Python scripts and services."""
