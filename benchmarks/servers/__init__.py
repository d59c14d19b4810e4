"""The servers under test. `build(provider_url, …)` returns an ASGI application, where it is one."""
