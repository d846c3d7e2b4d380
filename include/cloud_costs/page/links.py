"""Addresses of Airflow's own pages, relative to the root of the page, so that they work below any path."""

from urllib.parse import quote

DAG_ID = "cloud_costs"
DAG = f"../dags/{DAG_ID}"
FIRST_TASK = "billing_month.load_raw"


def run(dag_run_id: str | None) -> str | None:
    """Return the address of a run; None for a load from the command line."""
    return f"{DAG}/runs/{quote(dag_run_id, safe='')}" if dag_run_id else None


def tasks(dag_run_id: str | None, map_index: int | None) -> str | None:
    """Return the address of the first task of a billing month: clear it with those after it to load the month again."""
    if not dag_run_id or map_index is None:
        return None
    return f"{run(dag_run_id)}/tasks/{FIRST_TASK}/mapped/{map_index}"
