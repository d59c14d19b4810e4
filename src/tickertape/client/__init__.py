"""Layer 5: our own readers: the script functions, and a Python client that reconnects.

`chat` and `completion` are for scripts, without a server; `reader` follows the runs
of a server. All return the streams of `text_stream`, and `collector` reads those.
"""
