"""Layer 5: what we test with, shipped for users' tests too."""
