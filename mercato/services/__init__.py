"""Local services from PyPI packages alone: Postgres, a Kafka-protocol broker, Airflow.

Each can be an outside address by settings instead. All state is below `settings.home`.
"""
