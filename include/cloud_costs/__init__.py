"""Cloud Costs: billing exports to cost tables in PostgreSQL that people can trust.

The library behind the DAG and the command line. Nothing here imports Airflow but
`cloud_costs.airflow.connections`.
"""

__version__ = "0.1.0"
