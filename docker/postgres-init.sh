#!/usr/bin/env bash
# Run once by the postgres image, on an empty volume: a database and its owner for Airflow's metadata, and a
# database for the costs with the two roles of include/sql/schema/roles.sql. No role can connect to the other's
# database, and none is a superuser. psql quotes every name and value.
set -euo pipefail

if [[ "${POSTGRES_HOST}" == "postgres" && ( "${COSTS_USER}" =~ ^(airflow|postgres)$ || "${COSTS_DB}" =~ ^(airflow|postgres|template0|template1)$ ) ]]; then
    echo "POSTGRES_USER=${COSTS_USER}, POSTGRES_DB=${COSTS_DB}: airflow and postgres are taken by the server itself." >&2
    echo "Choose other names in .env, then: docker compose down --volumes && docker compose up --detach" >&2
    exit 1
fi

run_psql() {
    PGHOST='' psql --no-psqlrc --quiet --username postgres --dbname postgres --set ON_ERROR_STOP=1 "$@"
}

run_psql <<'SQL'
\getenv password AIRFLOW_DB_PASSWORD
create role airflow login password :'password';
create database airflow owner airflow;
revoke connect on database airflow from public;
revoke connect on database postgres from public;
-- From here on the superuser can only log in through the socket inside the container.
alter role postgres password null;
SQL

# An external POSTGRES_HOST has its own database and roles.
if [[ "${POSTGRES_HOST}" == "postgres" ]]; then
    run_psql <<'SQL'
\getenv role COSTS_USER
\getenv password COSTS_PASSWORD
\getenv database COSTS_DB
create role :"role" login password :'password';
create database :"database";
revoke all on database :"database" from public;
SQL
    run_psql --dbname "${COSTS_DB}" --set schema="${COSTS_SCHEMA}" --set loader="${COSTS_USER}" --file "${ROLES_SQL}"
    # Without a password, the reader cannot log in.
    if [[ -n "${READER_PASSWORD:-}" ]]; then
        run_psql --dbname "${COSTS_DB}" --set reader="${COSTS_SCHEMA}_reader" <<'SQL'
\getenv password READER_PASSWORD
alter role :"reader" password :'password';
SQL
    fi
fi
