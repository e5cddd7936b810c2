"""Alerts reach a real web server and a real mail server, each also when the other is away."""

import socket
import socketserver
from collections.abc import Iterator

import pytest

from mercato.errors import MercatoError
from mercato.services import alerts
from mercato.settings import Alerts
from tests.webhook import listening, serving


@pytest.fixture
def posted() -> Iterator[tuple[str, list[dict]]]:
    """A webhook's address, and what came to it."""
    with listening() as hook:
        yield hook


@pytest.fixture
def mailed() -> Iterator[tuple[int, list[str]]]:
    """A mail server's port, and the lines it was told."""
    got: list[str] = []

    class Mail(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            self.wfile.write(b"220 here\r\n")
            data = False
            for line in self.rfile:
                got.append(words := line.decode().rstrip())
                if data:
                    data = words != "."
                    if not data:
                        self.wfile.write(b"250 taken\r\n")
                elif words.lower() == "data":
                    data = True
                    self.wfile.write(b"354 go on\r\n")
                else:
                    self.wfile.write(b"221 bye\r\n" if words.lower() == "quit" else b"250 ok\r\n")

    with serving(socketserver.ThreadingTCPServer(("127.0.0.1", 0), Mail)) as port:
        yield port, got


def nowhere() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_a_failed_run_is_told_to_the_webhook_and_by_mail(posted, mailed):
    (address, hooked), (port, lines) = posted, mailed
    to = Alerts(webhook=address, email="a@example.org, b@example.org", smtp_host="127.0.0.1", smtp_port=port)
    alerts.send(to, "mercato: DAG transform failed", "task staging: layer staging failed")
    assert hooked == [{"text": "mercato: DAG transform failed\ntask staging: layer staging failed"}]
    assert "Subject: mercato: DAG transform failed" in lines
    assert "task staging: layer staging failed" in lines
    assert {line for line in lines if line.startswith("rcpt")} == {
        "rcpt TO:<a@example.org>",
        "rcpt TO:<b@example.org>",
    }


def test_an_address_that_is_away_is_named_and_the_other_is_told(posted, mailed):
    (address, hooked), (port, lines) = posted, mailed
    with pytest.raises(MercatoError, match="e-mail: "):
        alerts.send(
            Alerts(webhook=address, email="a@example.org", smtp_host="127.0.0.1", smtp_port=nowhere()),
            "red",
            "why",
        )
    assert hooked
    with pytest.raises(MercatoError, match="webhook: "):
        alerts.send(
            Alerts(webhook="ftp://example.org", email="a@example.org", smtp_host="127.0.0.1", smtp_port=port),
            "red",
            "",
        )
    assert "Subject: red" in lines


def test_nobody_is_told_where_no_address_is_set():
    assert not alerts.wanted(Alerts())
    alerts.send(Alerts(), "red", "why")
