"""Layer 1: values and state machines. No I/O, no clock, no asyncio."""
