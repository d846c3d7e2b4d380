"""
Add the connections to the environment and become the command.

The `.env` file holds plain values. Airflow wants URLs and JSON made of them, and Docker Compose can only
paste: a password with `@`, `%` or a quote would break either. So they are put together here, and quoted.

Services start through this file, and so must anything run beside them that needs a connection, like the
health checks: `python /opt/airflow/docker/entrypoint.py airflow jobs check`. What is already set stays.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from urllib.parse import quote

# Compose passes what `.env` leaves out as an empty string, which not every reader takes for unset.
OPTIONAL = (
    "AIRFLOW_CONN_AWS_DEFAULT",
    "AIRFLOW_CONN_COSTS_DB",
    "AIRFLOW_CONN_COSTS_MODEL",
    "AIRFLOW_CONN_GOOGLE_CLOUD_DEFAULT",
    "AIRFLOW_CONN_WASB_DEFAULT",
    "ALERT_EMAIL_TO",
    "ALERT_SLACK_CONN_ID",
    "ALERT_SMTP_CONN_ID",
    "AWS_ACCESS_KEY_ID",
    "AWS_ENDPOINT_URL",
    "AWS_REGION",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "CLOUD_COSTS_CONFIG",
    "CUR_PATHS",
    "REPORT_DAILY_TO",
    "REPORT_MONTHLY_TO",
    "REPORT_WEEKLY_TO",
    "S3_BUCKET",
)


def complete(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the environment with Airflow's connections and without empty variables, or raise SystemExit."""
    complete = {name: value for name, value in environment.items() if value or name not in OPTIONAL}
    metadata = f"airflow:{_quoted(_required(complete, 'AIRFLOW_DB_PASSWORD'))}@postgres:5432/airflow"
    broker = f"redis://:{_quoted(_required(complete, 'REDIS_PASSWORD'))}@redis:6379/0"
    made = {
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"postgresql+psycopg2://{metadata}",
        "AIRFLOW__CELERY__RESULT_BACKEND": f"db+postgresql+psycopg2://{metadata}",
        "AIRFLOW__CELERY__BROKER_URL": broker,
        "AIRFLOW_CONN_COSTS_DB": json.dumps(_costs_db(complete)),
        "AIRFLOW_CONN_AWS_DEFAULT": json.dumps(_aws_default(complete)),
    }
    return made | complete


def _costs_db(environment: Mapping[str, str]) -> dict[str, object]:
    return {
        "conn_type": "postgres",
        "host": _required(environment, "POSTGRES_HOST"),
        "port": int(_required(environment, "POSTGRES_PORT")),
        "schema": _required(environment, "POSTGRES_DB"),
        "login": _required(environment, "POSTGRES_USER"),
        "password": _required(environment, "POSTGRES_PASSWORD"),
    }


def _aws_default(environment: Mapping[str, str]) -> dict[str, object]:
    """Without keys, the connection is boto3's default credential chain: the instance's or the task's role."""
    key, secret = environment.get("AWS_ACCESS_KEY_ID"), environment.get("AWS_SECRET_ACCESS_KEY")
    if bool(key) != bool(secret):
        raise SystemExit("Set both AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY in .env, or neither")
    extra = {
        "region_name": environment.get("AWS_REGION"),
        "endpoint_url": environment.get("AWS_ENDPOINT_URL"),
        "aws_session_token": environment.get("AWS_SESSION_TOKEN"),
    }
    connection: dict[str, object] = {
        "conn_type": "aws",
        "extra": {name: value for name, value in extra.items() if value},
    }
    if key and secret:
        connection |= {"login": key, "password": secret}
    return connection


def _required(environment: Mapping[str, str], name: str) -> str:
    if value := environment.get(name):
        return value
    raise SystemExit(f"{name} is not set: see .env.example")


def _quoted(value: str) -> str:
    return quote(value, safe="")


if __name__ == "__main__":
    if len(sys.argv) < 2:
        raise SystemExit("usage: entrypoint.py COMMAND [ARGUMENT …]")
    os.execvpe(sys.argv[1], sys.argv[1:], complete(os.environ))  # noqa: S606  no shell
