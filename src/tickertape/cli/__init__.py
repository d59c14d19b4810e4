"""Layer 6: the `tickertape` command."""
