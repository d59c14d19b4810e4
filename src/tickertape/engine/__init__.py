"""Layer 3: runs. The only layer that starts tasks."""
