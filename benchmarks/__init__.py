"""Benchmarks: one question per file, each answered by a ratio measured in one run."""
