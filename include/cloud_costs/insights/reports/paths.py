"""Paths of the Costs page that lead from a report to what it is about."""

from collections.abc import Mapping
from urllib.parse import quote, urlencode

from cloud_costs.insights.reports.facts import Span

MONTHS, BUDGETS = "months", "budgets"


def anomaly(anomaly_id: int) -> str:
    """Return the path of an event."""
    return f"anomalies/{anomaly_id}"


def tag(key: str) -> str:
    """Return a tag as Explore names it.

    >>> tag("user:team")
    'tag:user%3Ateam'
    """
    return f"tag:{quote(key, safe='')}"


def explore(span: Span, currency: str, filters: Mapping[str, str], group: str, metric: str = "effective_cost") -> str:
    """Return the path of the costs of some days of use, grouped by a dimension."""
    asked = {
        "from": f"{span[0]}",
        "to": f"{span[1]}",
        "dates": "usage",
        "metric": metric,
        "currency": currency,
        "filter": [f"{name}:{value}" for name, value in filters.items()],
        "group": group,
    }
    return f"explore?{urlencode(asked, doseq=True)}"


def commitments(first: str, last: str, currency: str) -> str:
    """Return the path of the commitments of some billing months, written `YYYY-MM`."""
    return f"commitments?{urlencode({'from': first, 'to': last, 'currency': currency})}"
