"""A proxy before a server, that kills the client at a chosen step of their talk."""

import contextlib
import socket
import threading
from collections.abc import Callable


class Proxy:
    """Forwards one connection to (host, port); use as a context manager.

    `step`: call `on_kill` in place of forwarding the client's message of this number, or of its first COMMIT
    that ends a write; or, for "after COMMIT", in place of the server's answer to it.
    """

    def __init__(self, host: str | None, port: int) -> None:
        self._server = (host or "127.0.0.1", port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.step: int | str = ""
        self.on_kill: Callable[[], None] = lambda: None
        self._threads: list[threading.Thread] = []
        self._killing_answer = False

    def __enter__(self) -> "Proxy":
        self._start(self._serve)
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.close()
        for thread in self._threads:
            thread.join()

    def _start(self, work: Callable[..., None], *arguments: object) -> None:
        thread = threading.Thread(target=work, args=arguments)
        self._threads.append(thread)
        thread.start()

    def _serve(self) -> None:
        client, _ = self._listener.accept()
        server = socket.create_connection(self._server)
        self._start(self._answers, server, client)
        messages, written = 0, False
        with contextlib.suppress(OSError):
            while data := client.recv(1 << 20):
                messages += 1
                written = written or b"update raw.quarantine" in data
                commit = written and b"COMMIT" in data
                if self.step == messages or (commit and self.step == "before COMMIT"):
                    self.on_kill()
                    break
                self._killing_answer = commit and self.step == "after COMMIT"
                server.sendall(data)
        with contextlib.suppress(OSError):
            server.shutdown(socket.SHUT_RDWR)

    def _answers(self, server: socket.socket, client: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := server.recv(1 << 20):
                if self._killing_answer:
                    self.on_kill()
                    break
                client.sendall(data)
        for side in (client, server):
            with contextlib.suppress(OSError):
                side.shutdown(socket.SHUT_RDWR)
            side.close()
