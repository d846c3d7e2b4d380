"""Airflow: what its tasks call, its connections, and alerts. Nothing outside this room imports Airflow."""
