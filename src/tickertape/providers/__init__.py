"""Layer 2: a provider's stream → events."""
