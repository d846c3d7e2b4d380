#!/usr/bin/env bash
# What airflow-init runs before any other Airflow service starts: the metadata schema, and the first user if
# it is missing. The Airflow image's own _AIRFLOW_DB_MIGRATE goes on after a failed migration; this stops.
set -euo pipefail

airflow db migrate

# A user that exists is left as it is, password included.
airflow users create --role Admin --username "${AIRFLOW_ADMIN_USER}" --password "${AIRFLOW_ADMIN_PASSWORD}" \
    --firstname Cloud --lastname Costs --email "${AIRFLOW_ADMIN_USER}@localhost"
