"""One provider stream's bytes → events, for each API. Nothing here opens a connection.

`event_stream` frames; `chat_completions`, `completions` and `responses` are the
translators; what each event of a provider means is in the `…_answer` beside it.
"""
