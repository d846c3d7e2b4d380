"""Write the dashboards of `grafana/`: `make dashboards`.

`AIRFLOW_BASE_URL` is the address that links to the Costs page begin with, and `POSTGRES_SCHEMA` the schema of the cost
tables.
"""

import json
import os
from pathlib import Path
from typing import Any

from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import VariableType

from dashboards.commitments import commitments
from dashboards.data_quality import data_quality
from dashboards.engineering import engineering
from dashboards.executive import executive
from dashboards.insights import insights
from dashboards.sql import SCHEMA, in_schema
from dashboards.variables import AIRFLOW

FOLDER = Path(__file__).parent / "grafana"
DASHBOARDS = {
    "executive": executive,
    "engineering": engineering,
    "commitments": commitments,
    "data-quality": data_quality,
    "insights": insights,
}


def files(airflow: str = AIRFLOW, schema: str = SCHEMA) -> dict[str, str]:
    """Return the dashboards as Grafana imports them, by the name of the file."""
    return {f"{name}.json": _encoded(make(airflow).build(), schema) for name, make in DASHBOARDS.items()}


def _encoded(dashboard: Any, schema: str) -> str:
    for number, panel in enumerate(dashboard.panels, 1):
        panel.id_val = number
    for variable in dashboard.templating.list_val:
        variable.id_val = variable.name
        # An address of the dashboard may not say where its links lead.
        variable.skip_url_sync = variable.type_val == VariableType.CONSTANT
    document = json.loads(JSONEncoder().encode(dashboard))
    if schema != SCHEMA:
        document = _in_schema(document, schema)
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def _in_schema(value: Any, schema: str) -> Any:
    if isinstance(value, dict):
        return {key: _in_schema(one, schema) for key, one in value.items()}
    if isinstance(value, list):
        return [_in_schema(one, schema) for one in value]
    return in_schema(value, schema) if isinstance(value, str) else value


def main() -> None:
    """Write every file."""
    airflow = os.environ.get("AIRFLOW_BASE_URL") or AIRFLOW
    for name, text in files(airflow.rstrip("/"), os.environ.get("POSTGRES_SCHEMA") or SCHEMA).items():
        (FOLDER / name).write_text(text, encoding="utf-8")
        print(f"wrote dashboards/grafana/{name}")


if __name__ == "__main__":
    main()
