"""Layer 5: our own readers: the script functions, and a Python client that reconnects.

`chat` is for scripts, without a server; `reader` follows the runs of a server.
Both return the streams of `text_stream`.
"""
