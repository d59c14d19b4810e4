"""The rig: a provider simulator and a load client around a server under test.

The rig is the benchmark's own process, on a core of its own; the server is
another process, on the other core.
"""
