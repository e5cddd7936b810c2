"""The broker's address with what a client needs to log in, for either Kafka client. Pure."""

from collections.abc import Mapping
from typing import Any

#: librdkafka's names to kafka-python's.
_PYTHON = {
    "security.protocol": "security_protocol",
    "sasl.mechanism": "sasl_mechanism",
    "sasl.username": "sasl_plain_username",
    "sasl.password": "sasl_plain_password",
    "ssl.ca.location": "ssl_cafile",
}


class Brokers(str):
    """Bootstrap servers, `host:port,…`. `security`: how to log in, by librdkafka's names; never printed."""

    __slots__ = ("security",)
    security: Mapping[str, str]

    def __new__(cls, servers: str, security: Mapping[str, str] | None = None) -> "Brokers":
        """An address; without `security` plain and open, as the local broker is."""
        made = super().__new__(cls, servers)
        made.security = dict(security or {})
        return made


def librdkafka(servers: str) -> dict[str, Any]:
    """The part of a confluent-kafka configuration that says where the broker is and how to log in."""
    return {"bootstrap.servers": str(servers), **getattr(servers, "security", {})}


def kafka_python(servers: str) -> dict[str, Any]:
    """The same for kafka-python."""
    security = getattr(servers, "security", {})
    return {"bootstrap_servers": str(servers), **{_PYTHON[name]: value for name, value in security.items()}}
