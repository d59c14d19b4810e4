"""Layer 5: the HTTP routes, and their adapters to frameworks."""
