"""Load DuckDB's httpfs from its wheel, with DuckDB's own downloads switched off."""

from importlib.resources import files

import duckdb

extension = files("duckdb_extension_httpfs") / "extensions" / f"v{duckdb.__version__}" / "httpfs.duckdb_extension"
with duckdb.connect(config={"autoinstall_known_extensions": False, "autoload_known_extensions": False}) as connection:
    connection.load_extension(str(extension))
    loaded = connection.execute(
        "select extension_version from duckdb_extensions() where extension_name = 'httpfs' and loaded"
    ).fetchone()
if loaded is None:
    raise SystemExit(f"DuckDB {duckdb.__version__} did not load {extension}")
print(f"DuckDB {duckdb.__version__} with httpfs {loaded[0]}")
