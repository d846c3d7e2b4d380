"""The DAGs, for a file in any dags folder (docs/install.md).

    from cloud_costs.airflow.dags import *

Airflow reads a file for DAGs only where it holds the words `airflow` and `dag`; this line has both. The DAGs belong to
that file: Airflow shows it as their place, and its tasks read it again.
"""

import importlib.util
import sys
from pathlib import Path

from airflow.sdk import DAG

from cloud_costs.layout import DAGS


def _dags_of(path: Path) -> list[DAG]:
    """Import a DAG file under a name of its own: `cloud_costs.py` has the name of this package."""
    name = f"{__name__}.{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{path} is no Python file")
    sys.modules[name] = module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return [value for value in vars(module).values() if isinstance(value, DAG)]


_FOUND = {dag.dag_id: dag for path in sorted(DAGS.glob("*.py")) for dag in _dags_of(path)}
globals().update(_FOUND)
__all__ = sorted(_FOUND)
