#!/usr/bin/env bash
# What airflow-init runs before any other Airflow service starts: the metadata schema, the pool of the loads,
# and the first user if it is missing. The Airflow image's own _AIRFLOW_DB_MIGRATE goes on after a failed migration; this stops.
set -euo pipefail

airflow db migrate

# The value in .env counts, even after a change in the UI.
airflow pools set "${LOAD_POOL}" "${LOAD_SLOTS}" "Steps of cloud_costs that work on PostgreSQL at once"

# A user that exists is left as it is, password included.
airflow users create --role Admin --username "${AIRFLOW_ADMIN_USER}" --password "${AIRFLOW_ADMIN_PASSWORD}" \
    --firstname Cloud --lastname Costs --email "${AIRFLOW_ADMIN_USER}@localhost"
