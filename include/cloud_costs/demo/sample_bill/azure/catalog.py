"""Azure's services, meters and prices, as far as the sample bill needs them.

The names of services are those that Microsoft publishes for FOCUS (FinOps toolkit, open data, Services.csv).
"""

from dataclasses import dataclass
from decimal import Decimal

MICROSOFT = "Microsoft"


@dataclass(frozen=True)
class Subscription:
    """A subscription, and who pays for it under a Microsoft Customer Agreement."""

    id: str
    name: str
    cost_center: str
    profile: int


@dataclass(frozen=True)
class Profile:
    """A billing profile of a Microsoft Customer Agreement: it is invoiced in one currency, and priced in USD."""

    id: str
    name: str
    currency: str
    rate: Decimal


@dataclass(frozen=True)
class Meter:
    """Something that Azure sells: its service, how a resource of it is called, and what a block of units costs.

    `price` is what this customer pays for `block` units, `list_price` what everyone does.
    """

    service: str
    service_category: str
    service_subcategory: str
    consumed_service: str
    resource_type: str
    category: str
    subcategory: str
    name: str
    unit_of_measure: str
    block: int
    unit: str
    price: Decimal
    list_price: Decimal
    details: str = ""


SUBSCRIPTIONS = (
    Subscription("0a1b2c3d-0000-4000-8000-000000000001", "Acme Shop", "4711", 0),
    Subscription("0a1b2c3d-0000-4000-8000-000000000002", "Acme Data", "0815", 0),
    Subscription("0a1b2c3d-0000-4000-8000-000000000003", "Acme Britain", "", 1),
)
PROFILES = (
    Profile("ABCD-EFGH-BG7-PGB", "Acme Europe", "EUR", Decimal("0.9231")),
    Profile("IJKL-MNOP-BG8-PGB", "Acme Britain", "GBP", Decimal("0.7854")),
)
ENROLLMENT = "01234567"
CUSTOMER_AGREEMENT = "5e98e158-0000-4000-8000-000000000009:61fd0d3c-0000-4000-8000-00000000000a_2019-05-31"
# As exports spell it, and what FOCUS calls it.
REGIONS = (
    ("westeurope", "westeurope", "West Europe"),
    ("US East 2", "eastus2", "East US 2"),
    ("EU North", "northeurope", "North Europe"),
)


def _meter(*texts: str, block: int = 1, prices: tuple[str, str], details: str = "") -> Meter:
    *names, unit_of_measure, unit = texts
    price, list_price = map(Decimal, prices)
    service, category, subcategory, consumed, kind, meter_category, meter_subcategory, name = names
    return Meter(
        service, category, subcategory, consumed, kind, meter_category, meter_subcategory, name,
        unit_of_measure, block, unit, price, list_price, details,
    )  # fmt: skip


VM = _meter(
    "Virtual Machines", "Compute", "Virtual Machines", "Microsoft.Compute", "Microsoft.Compute/virtualMachines",
    "Virtual Machines", "Dv5 Series", "D4s v5", "1 Hour", "Hours", prices=("0.1824", "0.192"),
    details='{"UsageType":"ComputeHR","ServiceType":"Standard_D4s_v5","RINormalizationRatio":"4"}',
)  # fmt: skip
METERS = (
    VM,
    _meter(
        "Storage Accounts", "Storage", "Storage Platforms", "Microsoft.Storage", "microsoft.storage/storageAccounts",
        "Storage", "Blob Storage", "Hot LRS Write Operations", "10K", "Units", block=10000, prices=("0.049", "0.05"),
    ),
    _meter(
        "Azure SQL Database", "Databases", "Relational Databases", "Microsoft.Sql", "Microsoft.Sql/servers/databases",
        "SQL Database", "Single General Purpose", "vCore", "1 Hour", "Hours", prices=("0.2211", "0.2407"),
    ),
    _meter(
        "Virtual Network", "Networking", "Network Infrastructure", "Microsoft.Network",
        "Microsoft.Network/virtualNetworkGateways", "VPN Gateway", "VpnGw1", "VpnGw1", "100 Hours", "Hours",
        block=100, prices=("18.5", "19"),
    ),
)  # fmt: skip
RESERVATION = _meter(
    "Azure Reservations", "Management and Governance", "Cost Management", "Microsoft.Capacity",
    "Microsoft.Capacity/reservationOrders/reservations", "Virtual Machines", "Reservation", "D4s v5", "1 Hour", "Hours",
    prices=("0.1201", "0"),
)  # fmt: skip
SAVINGS_PLAN = _meter(
    "Azure Savings Plan for Compute", "Compute", "Other (Compute)", "Microsoft.BillingBenefits",
    "Microsoft.BillingBenefits/savingsPlanOrders/savingsPlans", "Savings Plan", "Compute Savings Plan", "Commitment",
    "1 Hour", "Hours", prices=("1.25", "0"),
)  # fmt: skip
MARKETPLACE = _meter(
    "Azure Marketplace", "Other", "Other (Other)", "Microsoft.SaaS", "Microsoft.SaaS/resources",
    "SaaS", "Example Search Cloud", "Seats", "1", "Units", prices=("11.5", "0"),
)  # fmt: skip
ORDER = "/providers/Microsoft.Capacity/reservationOrders/11111111-0000-4000-8000-00000000000b/reservations/{}"
PLAN = "/providers/Microsoft.BillingBenefits/savingsPlanOrders/22222222-0000-4000-8000-00000000000c/savingsPlans/{}"
