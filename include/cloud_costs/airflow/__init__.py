"""Airflow: the functions that tasks call, connections, and alerts. No other room imports Airflow."""
