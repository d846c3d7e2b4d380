"""The plugin with the Costs page: Airflow finds it in `plugins/`, and in the wheel by its entry point.

Where both are there, Airflow takes the first one of this name, and says that it skips the other.
"""

from typing import Any

from airflow.plugins_manager import AirflowPlugin

from cloud_costs.airflow.costs_page import Lazy

# Before 3.1, Airflow has no place for a page in its navigation, and a browser no login that a page could ask for.
HAS_PAGES = hasattr(AirflowPlugin, "external_views")

APPS: list[Any] = [{"app": Lazy(), "url_prefix": "/cloud-costs", "name": "Cloud Costs"}]
VIEWS: list[Any] = [{"name": "Cloud Costs", "href": "cloud-costs/", "url_route": "cloud-costs", "destination": "nav"}]


class CloudCostsPage(AirflowPlugin):
    """Shows what clouds cost to whoever may read the DAG cloud_costs."""

    name = "cloud_costs_page"
    fastapi_apps = APPS if HAS_PAGES else []
    external_views = VIEWS
