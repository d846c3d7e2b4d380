"""Cloud Costs loads billing exports into cost tables in PostgreSQL.

This is the library behind the DAG and the command line. Only the room `cloud_costs.airflow` imports Airflow, so that
the rest starts quickly and runs from a shell.
"""

__version__ = "0.1.0"
