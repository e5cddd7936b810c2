"""Errors, named by what the reader must do. The command prints them in one line and exits with `exit_code`."""


class MercatoError(Exception):
    """Something failed that the user can act on.

    `what` says what is wrong and where; `cure` is what to type or change.
    """

    exit_code = 1

    def __init__(self, what: str, cure: str) -> None:
        super().__init__(f"{what}\n  cure: {cure}")
        self.what = what
        self.cure = cure


class WrongUse(MercatoError):
    """The words of the command or a setting are wrong: exit code 2."""

    exit_code = 2


class ServiceUnavailable(MercatoError):
    """Postgres, the broker or Airflow doesn't answer. Trying again can help."""


class ServiceWontStart(MercatoError):
    """A local service can't be started: port, disk, rights or a damaged data directory."""


class PositionLost(MercatoError):
    """The source no longer holds the next record to load: records would be lost, so the load stops."""


class Fenced(MercatoError):
    """Another worker has moved a position of this batch on: nothing was written; re-read the positions."""

    def __init__(self, where: str) -> None:
        super().__init__(
            f"another worker loads {where}; this batch was rolled back", "none: it is read again"
        )
