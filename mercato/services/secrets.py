"""Secrets of the local services: generated at first use, one file each, mode 0600, never printed."""

import base64
import os
import secrets
from collections.abc import Callable
from pathlib import Path

from mercato.errors import MercatoError, WrongUse


def secret(home: Path, name: str, *, size: int = 24, make: Callable[[], str] | None = None) -> str:
    """Return the secret of this name; if there is none it is made: by `make`, or `size` random bytes, URL-safe."""
    path = home / "secrets" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.parent.chmod(0o700)
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        value = path.read_text("ascii").strip()
        if not value:
            raise MercatoError(f"the secret {path} is empty", "`make clean`, then start again") from None
        return value
    value = make() if make else secrets.token_urlsafe(size)
    with os.fdopen(handle, "w", encoding="ascii") as file:
        file.write(value)
    return value


def fernet_key() -> str:
    """32 random bytes in URL-safe base64, padded: what Airflow encrypts its connections with."""
    return base64.urlsafe_b64encode(os.urandom(32)).decode()


def read(path: Path) -> str:
    """The secret in a file.

    Raises:
        WrongUse: it isn't there, can't be read, or is empty.
    """
    try:
        value = path.read_text("ascii").strip()
    except OSError as error:
        raise WrongUse(
            f"the secret {path} can't be read: {error.strerror}",
            "`mercato init` makes those that are missing; a container gets those that its service lists",
        ) from None
    if not value:
        raise WrongUse(f"the secret {path} is empty", "delete it; `mercato init` makes another")
    return value


def write_private(path: Path, text: str) -> None:
    """Write a file that holds a secret: mode 0600 from its first byte, replaced as a whole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(path.name + ".new")
    draft.unlink(missing_ok=True)
    with os.fdopen(
        os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8"
    ) as file:
        file.write(text)
    draft.replace(path)
