"""The Costs page in Airflow's navigation, at /cloud-costs/ (docs/page.md)."""

from cloud_costs.airflow.plugin import CloudCostsPage

__all__ = ["CloudCostsPage"]
