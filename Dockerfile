# The image of every Airflow service in docker-compose.yaml: the same Airflow and Python that the tests run
# on. No apt packages: psycopg, Arrow and DuckDB come as wheels that carry what they need.
FROM apache/airflow:slim-3.3.2-python3.11

LABEL org.opencontainers.image.title="Cloud Costs" \
      org.opencontainers.image.version="0.1.0" \
      org.opencontainers.image.description="Airflow DAGs that load cloud billing exports into PostgreSQL cost tables" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.base.name="docker.io/apache/airflow:slim-3.3.2-python3.11"

ENV PYTHONPATH=/opt/airflow/include \
    PYTHONDONTWRITEBYTECODE=1

# airflow, as a number so that a cluster can see that it is not root.
USER 50000:0

# What to add, with a space between: the clouds "azure" and "google" to read beside AWS, "mcp" for programs that ask, and
# "ask" for the question box.
ARG CLOUDS=""

# Dependencies first: a changed DAG does not reinstall them.
COPY --chown=airflow:0 requirements.txt requirements-azure.txt requirements-google.txt requirements-mcp.txt requirements-ask.txt /opt/airflow/
COPY --chown=airflow:0 docker/requirements.txt docker/constraints.txt /opt/airflow/docker/
# Several words are meant where the variables stand without quotes.
# hadolint ignore=SC2086
RUN for cloud in ${CLOUDS}; do clouds="${clouds:-} -r /opt/airflow/requirements-${cloud}.txt"; done \
    && pip install --no-cache-dir \
        -r /opt/airflow/requirements.txt -r /opt/airflow/docker/requirements.txt ${clouds:-} \
        -c /opt/airflow/docker/constraints.txt

COPY --chown=airflow:0 docker/ /opt/airflow/docker/
COPY --chown=airflow:0 include/ /opt/airflow/include/
# A pattern, so that no plugins are no error.
COPY --chown=airflow:0 plugin[s] /opt/airflow/plugins/
COPY --chown=airflow:0 dags/ /opt/airflow/dags/

# Bytecode is written here and never by a task: each is a process of its own, and would compile all of it again.
# The build fails here, and not the first load, when a wheel does not fit this image.
RUN python -m compileall -q /opt/airflow/include && python -c "import cloud_costs.loading.staging, cloud_costs.airflow.tasks, duckdb, fsspec"

# dumb-init and /entrypoint are the Airflow image's own; ours only adds the connections made from the
# environment.
ENTRYPOINT ["/usr/bin/dumb-init", "--", "python", "/opt/airflow/docker/entrypoint.py", "/entrypoint"]
