"""Published months as files in a folder or a bucket, for DuckDB, pandas, Spark and for this package's own `focus`."""
