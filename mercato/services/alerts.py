"""Tell people: a webhook that takes `{"text": …}`, and e-mail. The one module that does.

Guarantee: an address that doesn't answer is an error that names it, and doesn't keep the other from being told.
"""

import json
import smtplib
import urllib.request
from collections.abc import Callable
from email.message import EmailMessage

from mercato.errors import MercatoError
from mercato.settings import Alerts

#: Seconds that an address gets to answer.
PATIENCE = 15


def wanted(to: Alerts) -> bool:
    """Whether anybody is to be told."""
    return bool(to.webhook or to.email)


def send(to: Alerts, subject: str, words: str) -> None:
    """Send a message to each address there is.

    Raises:
        MercatoError: one can't be reached; the others were told.
    """
    ways: dict[str, Callable[[], None]] = {}
    if to.webhook:
        ways["webhook"] = lambda: _post(str(to.webhook), f"{subject}\n{words}")
    if to.email:
        ways["e-mail"] = lambda: _mail(to, subject, words)
    wrong = []
    for name, way in ways.items():
        try:
            way()
        except (OSError, smtplib.SMTPException, ValueError) as error:
            wrong.append(f"{name}: {error}")
    if wrong:
        raise MercatoError(f"nobody was told by {'; '.join(wrong)}", "correct MERCATO_ALERTS__*")


def _post(address: str, text: str) -> None:
    if not address.startswith(("http://", "https://")):
        raise ValueError(f"{address} is no http address")
    request = urllib.request.Request(  # noqa: S310  checked above
        address, data=json.dumps({"text": text}).encode(), headers={"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=PATIENCE):  # noqa: S310
        pass


def _mail(to: Alerts, subject: str, words: str) -> None:
    message = EmailMessage()
    message["Subject"], message["From"], message["To"] = subject, to.sender, to.email
    message.set_content(words)
    with smtplib.SMTP(to.smtp_host, to.smtp_port, timeout=PATIENCE) as server:
        if to.smtp_starttls:
            server.starttls()
        if to.smtp_user and to.smtp_password:
            server.login(to.smtp_user, to.smtp_password.get_secret_value())
        server.send_message(message)
