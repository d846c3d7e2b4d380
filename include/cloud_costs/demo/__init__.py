"""The whole package on this machine alone: a sample bill, PostgreSQL from a wheel, a local Airflow."""
