"""Where the warehouse and the broker are: an outside address from the settings, else the local service.

Each command says which role it is. An outside warehouse with a password in the settings has one user for all of
them; else a role's password is the file `postgres-<role>` of MERCATO_SECRETS, so that a process which wasn't given
the file can't be that role.
"""

from pathlib import Path

from mercato.brokers import Brokers
from mercato.errors import WrongUse
from mercato.postgres import Endpoint
from mercato.services import broker, postgres
from mercato.services.secrets import read, write_private
from mercato.settings import Settings


def warehouse(settings: Settings, *, role: str = postgres.OWNER, database: str | None = None) -> Endpoint:
    """Address of the warehouse, or of another database of its server, for this role.

    Raises:
        WrongUse: an outside host without a password, or without the role's.
        ServiceUnavailable: the local one never started here.
    """
    given, name = settings.warehouse, database or settings.warehouse.database
    if given.host is None:
        return postgres.endpoint(settings, database=name, user=role)
    if given.password is not None:
        user, password = given.user, given.password.get_secret_value()
    elif settings.secrets is not None:
        user, password = role, read(settings.secrets / f"postgres-{role}")
    else:
        raise WrongUse(
            "MERCATO_WAREHOUSE__HOST is set without a password",
            "set MERCATO_WAREHOUSE__PASSWORD, or MERCATO_SECRETS to the folder that `mercato init` made",
        )
    root = "" if given.sslrootcert is None else str(given.sslrootcert)
    return Endpoint(given.host, given.port, name, user, password, given.sslmode, root)


def kafka(settings: Settings) -> Brokers:
    """Bootstrap servers of the broker, and how to log in.

    Raises:
        WrongUse: SASL is asked for without a user or a password.
    """
    servers, given = broker.bootstrap_servers(settings), settings.kafka
    if given.security_protocol == "PLAINTEXT":
        return Brokers(servers)
    security: dict[str, str] = {"security.protocol": given.security_protocol}
    if given.ca_file is not None:
        security["ssl.ca.location"] = str(given.ca_file)
    if given.security_protocol.startswith("SASL"):
        if given.username is None:
            raise WrongUse("SASL without a user", "set MERCATO_KAFKA__USERNAME")
        if given.password is not None:
            password = given.password.get_secret_value()
        elif settings.secrets is not None:
            password = read(settings.secrets / f"kafka-{given.username}")
        else:
            raise WrongUse("SASL without a password", "set MERCATO_KAFKA__PASSWORD, or MERCATO_SECRETS")
        security |= {
            "sasl.mechanism": given.sasl_mechanism,
            "sasl.username": given.username,
            "sasl.password": password,
        }
    return Brokers(servers, security)


def environment(settings: Settings) -> dict[str, str]:
    """The warehouse's address as MERCATO_* variables, for processes of ours: each finds its role's password itself."""
    given, address = settings.warehouse, warehouse(settings)
    found = {
        "MERCATO_WAREHOUSE__HOST": address.host,
        "MERCATO_WAREHOUSE__PORT": str(address.port),
        "MERCATO_WAREHOUSE__DATABASE": address.database,
        "MERCATO_WAREHOUSE__SSLMODE": address.sslmode,
        **({"MERCATO_WAREHOUSE__SSLROOTCERT": address.sslrootcert} if address.sslrootcert else {}),
    }
    if given.host is not None and given.password is not None:
        return {
            **found,
            "MERCATO_WAREHOUSE__USER": address.user,
            "MERCATO_WAREHOUSE__PASSWORD": address.password,
        }
    return {**found, "MERCATO_SECRETS": str(settings.secrets or _local_secrets(settings))}


def dbt_environment(settings: Settings) -> dict[str, str]:
    """What the dbt profile reads: the address, and the user and password of the role that transforms."""
    address = warehouse(settings, role=postgres.TRANSFORMER)
    return {
        **environment(settings),
        "MERCATO_WAREHOUSE__USER": address.user,
        "MERCATO_WAREHOUSE__PASSWORD": address.password,
    }


def write_dbt_environment(settings: Settings) -> None:
    """Let `dbt build` in dbt_project/ find the local warehouse: dbt reads the .env there, a link to this file."""
    path = settings.home / "dbt.env"
    if settings.warehouse.host is not None:
        path.unlink(missing_ok=True)  # the outside address is in the environment or in the checkout's .env
        return
    write_private(path, "".join(f"{name}={value}\n" for name, value in dbt_environment(settings).items()))


def _local_secrets(settings: Settings) -> Path:
    return settings.home / "secrets"
