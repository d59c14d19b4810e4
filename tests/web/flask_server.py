"""A Flask application under Flask's own server, in threads; its engine on the test's loop."""

from __future__ import annotations

import asyncio
import contextlib
import threading

import flask
from werkzeug.serving import ThreadedWSGIServer, WSGIRequestHandler

from tickertape.web.flask import chat_blueprint


class ThisLoop:
    """The running event loop for other threads: what a test touches stays on its own loop."""

    def __init__(self):
        self._loop = asyncio.get_running_loop()

    def submit(self, coroutine):
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop)

    def call(self, coroutine):
        return self.submit(coroutine).result()


def flask_app(open_handlers):
    def owner():
        if flask.request.headers.get("authorization") == "wrong":
            flask.abort(401, "sign in")
        return flask.request.headers.get("authorization")

    app = flask.Flask(__name__)
    app.register_blueprint(chat_blueprint(owner=owner, handlers=open_handlers, loop=ThisLoop()))
    return app


class _Server(ThreadedWSGIServer):
    """Flask's own server, which waits for its threads when it is closed."""

    daemon_threads = False


class _QuietHandler(WSGIRequestHandler):
    def log(self, *_):
        pass


@contextlib.asynccontextmanager
async def serving_in_threads(app):
    """Serve the application, a thread for each connection; yield its URL."""
    server = _Server("127.0.0.1", 0, app, handler=_QuietHandler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.port}"
    finally:
        # In another thread: the server's own still answer from this loop.
        await asyncio.to_thread(server.shutdown)
        await asyncio.to_thread(thread.join)
