"""The demo: the whole package on one machine, with a sample bill, PostgreSQL from a wheel and a local Airflow."""
