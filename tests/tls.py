"""An authority, a certificate for 127.0.0.1, and a door that speaks TLS in front of a Postgres that doesn't."""

import contextlib
import socket
import ssl
import threading
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


def authority(folder: Path, name: str) -> Path:
    """Make an authority and a certificate of it for 127.0.0.1; returns the authority's file.

    Beside it are `name.key` and `name.pem` (the server's key and certificate) and `name.both` (both in one file).
    """
    folder.mkdir(parents=True, exist_ok=True)
    now = datetime.now(UTC)
    root_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    root_name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])

    def build(subject: x509.Name, public: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
        return (
            x509.CertificateBuilder().subject_name(subject).issuer_name(root_name).public_key(public)
            .serial_number(x509.random_serial_number()).not_valid_before(now - timedelta(hours=1))
            .not_valid_after(now + timedelta(days=1))
        )  # fmt: skip

    root = build(root_name, root_key.public_key())
    root = root.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    server = build(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")]), key.public_key())
    server = server.add_extension(
        x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False
    )
    pem = serialization.Encoding.PEM
    plain = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    certificate = server.sign(root_key, hashes.SHA256()).public_bytes(pem)
    (folder / f"{name}.key").write_bytes(plain)
    (folder / f"{name}.pem").write_bytes(certificate)
    (folder / f"{name}.both").write_bytes(plain + certificate)
    path = folder / f"{name}.ca"
    path.write_bytes(root.sign(root_key, hashes.SHA256()).public_bytes(pem))
    return path


class Door:
    """Takes Postgres' clients over TLS and passes what they say on to (host, port); use as a context manager."""

    def __init__(self, host: str, port: int, certificate: Path) -> None:
        self._server = (host, port)
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(certificate)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.passed = 0  # connections

    def __enter__(self) -> "Door":
        threading.Thread(target=self._serve, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.close()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                threading.Thread(target=self._pass, args=[client], daemon=True).start()

    def _pass(self, client: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while (asked := client.recv(8)) != b"\x00\x00\x00\x08\x04\xd2\x16\x2f":  # a request for TLS
                if not asked:
                    return
                client.sendall(b"N")
            client.sendall(b"S")
            inside = self._context.wrap_socket(client, server_side=True)
            server = socket.create_connection(self._server)
            self.passed += 1
            threading.Thread(target=_copy, args=[server, inside], daemon=True).start()
            _copy(inside, server)


def _copy(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(1 << 16):
            target.sendall(data)
    for side in (source, target):
        with contextlib.suppress(OSError):
            side.close()
