"""Where the files are that come with the code: SQL, DAG files, and examples of configuration.

The project has them beside the package, where Airflow, Astro and people look for them. A wheel has them inside the
package, because everything that a wheel puts beside it lies among the files of other packages.

| files | in the project | in the wheel |
| --- | --- | --- |
| SQL | `include/sql` | `cloud_costs/sql` |
| examples of configuration | `include/config` | `cloud_costs/examples` |
| DAG files | `dags` | `cloud_costs/dags` |
| the operator's configuration | `include/config` | `include/config` in Airflow's home |
"""

import os
from pathlib import Path

PACKAGE = Path(__file__).parent
INCLUDE = PACKAGE.parent
IS_WHEEL = (PACKAGE / "sql").is_dir()
SQL = PACKAGE / "sql" if IS_WHEEL else INCLUDE / "sql"
EXAMPLES = PACKAGE / "examples" if IS_WHEEL else INCLUDE / "config"
DAGS = PACKAGE / "dags" if IS_WHEEL else INCLUDE.parent / "dags"
# Airflow's own default of its home. Astro, Amazon MWAA and Airflow's image set the variable.
AIRFLOW_HOME = Path(os.environ.get("AIRFLOW_HOME") or "~/airflow").expanduser()
CONFIG = AIRFLOW_HOME / "include" / "config" if IS_WHEEL else INCLUDE / "config"
