"""A real nginx for tests: free ports, a folder of its own, ended by its handle."""

from __future__ import annotations

import os
import socket
import subprocess
import time

import pytest
import trustme

from benchmarks.servers.nginx import PROGRAM, configuration

PATIENCE_S = 10.0


def require_nginx():
    """Skip where none is installed; where CI=true, fail."""
    if not PROGRAM.exists():
        message = "nginx is not installed (apt install nginx-light)"
        if os.environ.get("CI") == "true":
            pytest.fail(message)
        pytest.skip(message)


class Nginx:
    """One nginx with the servers of a configuration. Use as `with`.

    `{port}`, `{certificate}` and `{key}` in the configuration are where it listens, and what
    it shows there; `authority` is the file of who vouches for that.
    """

    def __init__(self, folder, servers):
        require_nginx()
        self._folder = folder
        self._servers = servers
        self._process = None
        self.authority = folder / "authority.pem"

    def __enter__(self):
        self._folder.mkdir(exist_ok=True)
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        self._write()
        self._process = subprocess.Popen(
            [PROGRAM, "-p", self._folder, "-c", "nginx.conf", "-e", "error.log"]
        )
        give_up_s = time.monotonic() + PATIENCE_S
        while not self._answers():
            assert self._process.poll() is None, (self._folder / "error.log").read_text()
            assert time.monotonic() < give_up_s
        return self

    def __exit__(self, *_error):
        self._process.terminate()
        self._process.wait(PATIENCE_S)

    def _answers(self):
        try:
            socket.create_connection(("127.0.0.1", self.port), timeout=0.2).close()
        except OSError:
            return False
        return True

    def _write(self):
        authority = trustme.CA()
        authority.cert_pem.write_to_path(self.authority)
        certificate = authority.issue_cert("127.0.0.1", "localhost")
        pem = self._folder / "certificate.pem"
        key = self._folder / "key.pem"
        pem.write_bytes(b"".join(each.bytes() for each in certificate.cert_chain_pems))
        certificate.private_key_pem.write_to_path(key)
        values = {"{port}": str(self.port), "{certificate}": str(pem), "{key}": str(key)}
        servers = self._servers
        for name, value in values.items():
            servers = servers.replace(name, value)
        text = configuration(servers, error_log="error.log")
        (self._folder / "nginx.conf").write_text(text)
