"""A webhook on this machine, and what is posted to it."""

import json
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any


@contextmanager
def serving(server: socketserver.BaseServer) -> Iterator[int]:
    """Let a server serve; yields its port."""
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server.server_address[1]  # type: ignore[index]
    server.shutdown()
    server.server_close()
    thread.join()


@contextmanager
def listening() -> Iterator[tuple[str, list[Any]]]:
    """A webhook's address, and the JSON bodies that came to it."""
    got: list[Any] = []

    class Hook(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            got.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with serving(HTTPServer(("127.0.0.1", 0), Hook)) as port:
        yield f"http://127.0.0.1:{port}/hook", got
