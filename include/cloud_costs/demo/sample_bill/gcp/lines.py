"""A line of Google's export, and the values that the lines of all planners of a month share.

Google bills in doubles. Amounts here have at most twelve decimal places and twelve significant digits. Some are written
as the next double beside theirs, because sums of doubles are inexact. Read with 15 digits, both are the same.
"""

import math
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any, NamedTuple

from cloud_costs.demo.sample_bill.bill import days_in, month_start
from cloud_costs.demo.sample_bill.gcp.bill import GoogleBill, Project, run_time
from cloud_costs.demo.sample_bill.lines import ZERO, Charge

Values = dict[str, Any]


class Service(NamedTuple):
    """A service of Google Cloud, by its public id and name."""

    id: str
    name: str


# Ids and names as Google's Cloud Billing Catalog has them.
COMPUTE = Service("6F81-5844-456A", "Compute Engine")
STORAGE = Service("95FF-2EF5-5EA1", "Cloud Storage")
BIGQUERY = Service("24E6-581D-38E5", "BigQuery")
CLOUD_SQL = Service("9662-B51E-5089", "Cloud SQL")
CLOUD_RUN = Service("152E-C115-5142", "Cloud Run")
SUPPORT = Service("2062-016F-44A2", "Support")
INVOICE = Service("INVO-ICE0-0001", "Invoice")
MARKETPLACE = Service("AB12-CD34-EF56", "Contoso Firewall")


class Line(NamedTuple):
    """One exported line; money is a Decimal. `charges` are the FOCUS rows behind it."""

    values: Values
    service: str
    project: str | None
    charges: tuple[Charge, ...]


@dataclass
class Month:
    """What the planners of one month share: the bill, its calendar, and the usage that taxes are levied on."""

    bill: GoogleBill
    month: date
    version: int
    taxable: dict[str, Decimal] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.start, self.days = month_start(self.month), days_in(self.month)
        self.exported = run_time(self.month, self.version)

    def line(
        self,
        service: Service,
        sku: tuple[str, str],
        project: Project | None,
        start: datetime,
        cost: Decimal,
        **values: Any,
    ) -> Values:
        """Return the columns of an hour of use, changed by `values`; a list price that is not given is the cost."""
        found: Values = {
            "billing_account_id": self.bill.billing_account,
            "invoice": {"month": f"{self.month:%Y%m}", "publisher_type": "GOOGLE"},
            "cost_type": "regular",
            "service": {"id": service.id, "description": service.name},
            "sku": {"id": sku[0], "description": sku[1]},
            "usage_start_time": start,
            "usage_end_time": start + timedelta(hours=1),
            "project": self._project(project),
            "labels": [],
            "system_labels": [],
            "tags": [],
            "location": {"location": "us-central1", "country": "US", "region": "us-central1", "zone": None},
            "resource": None,
            "cost": cost,
            "currency": self.bill.currency,
            "currency_conversion_rate": Decimal(1),
            "usage": None,
            "credits": [],
            "adjustment_info": None,
            "export_time": self.exported,
            "price": None,
            "cost_at_list": cost,
            "transaction_type": "GOOGLE",
            "seller_name": None,
            "subscription": None,
            "consumption_model": None,
        }
        return found | values

    def usage(self, amount: Decimal, unit: str, pricing: Decimal, pricing_unit: str) -> Values:
        """Return the column `usage` of a line, as the object that the export has."""
        return {"amount": amount, "unit": unit, "amount_in_pricing_units": pricing, "pricing_unit": pricing_unit}

    def _project(self, project: Project | None) -> Values | None:
        if project is None:
            return None
        return {
            "id": project.id,
            "number": project.number,
            "name": project.name,
            "labels": [{"key": key, "value": value} for key, value in project.labels],
            "ancestry_numbers": "/900000000001/",
            "ancestors": [{"resource_name": "organizations/900000000001", "display_name": "acme.example"}],
        }


def credit(kind: str, name: str, amount: Decimal, full_name: str | None = None) -> Values:
    """Return a credit. `amount` is positive, and the export has it as a negative amount."""
    return {"id": name, "name": name, "full_name": full_name, "type": kind, "amount": -amount}


def simple(values: Values, category: str, project: Project | None) -> Line:
    """Return a line whose effective cost is its billed cost."""
    billed = values["cost"] + sum((one["amount"] for one in values["credits"]), ZERO)
    listed = values["cost"] if values["cost_at_list"] is None else values["cost_at_list"]
    charge = Charge(category, billed, billed, listed)
    return Line(values, values["service"]["description"], project.id if project else None, (charge,))


def double(amount: Decimal, noisy: bool) -> float:
    """Return the double of an amount, or the one above it."""
    value = float(amount)
    return math.nextafter(value, math.inf) if noisy and value else value
