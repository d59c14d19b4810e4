"""The servers under test. Each module's `build(provider_url)` returns an ASGI application."""
