"""Where the warehouse and the broker are: an outside address from the settings, else the local service."""

from mercato.errors import WrongUse
from mercato.postgres import Endpoint
from mercato.services import broker, postgres
from mercato.services.secrets import write_private
from mercato.settings import Settings


def warehouse(settings: Settings, *, role: str = "mercato") -> Endpoint:
    """Address of the warehouse database, of the local one for this role; an outside one has the user it names.

    Raises:
        WrongUse: an outside host without a password.
        ServiceUnavailable: the local one never started here.
    """
    given = settings.warehouse
    if given.host is None:
        return postgres.endpoint(settings, user=role)
    if given.password is None:
        raise WrongUse("MERCATO_WAREHOUSE__HOST is set without a password", "set MERCATO_WAREHOUSE__PASSWORD")
    return Endpoint(
        given.host, given.port, given.database, given.user, given.password.get_secret_value(), given.sslmode
    )


def kafka(settings: Settings) -> str:
    """Bootstrap servers of the broker."""
    return broker.bootstrap_servers(settings)


def environment(settings: Settings) -> dict[str, str]:
    """The warehouse's address as the MERCATO_WAREHOUSE__* variables that the dbt profile reads."""
    address = warehouse(settings)
    return {
        "MERCATO_WAREHOUSE__HOST": address.host,
        "MERCATO_WAREHOUSE__PORT": str(address.port),
        "MERCATO_WAREHOUSE__DATABASE": address.database,
        "MERCATO_WAREHOUSE__USER": address.user,
        "MERCATO_WAREHOUSE__PASSWORD": address.password,
        "MERCATO_WAREHOUSE__SSLMODE": address.sslmode,
    }


def write_dbt_environment(settings: Settings) -> None:
    """Let `dbt build` in dbt_project/ find the local warehouse: dbt reads the .env there, a link to this file."""
    path = settings.home / "dbt.env"
    if settings.warehouse.host is not None:
        path.unlink(missing_ok=True)  # the outside address is in the environment or in the checkout's .env
        return
    write_private(path, "".join(f"{name}={value}\n" for name, value in environment(settings).items()))
