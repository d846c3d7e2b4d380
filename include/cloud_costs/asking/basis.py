"""What an answer stands on: the deliveries behind it, and whether it is an estimate."""

from collections.abc import Iterable

from cloud_costs.asking.models import Basis, Delivery
from cloud_costs.months import month_label
from cloud_costs.page.published import Month, Published, now

DELIVERIES = 12


def basis_of(published: Published, months: Iterable[Month]) -> Basis:
    """Return what costs of these published months stand on."""
    found = {one.load_id: one for one in months}
    newest = sorted(found.values(), key=lambda one: (one.published_at, one.load_id), reverse=True)
    estimated, because = published.estimated({one.billing_period for one in newest}, now())
    return Basis(
        as_of=newest[0].published_at if newest else None,
        deliveries=[delivery_of(one) for one in newest[:DELIVERIES]],
        more_deliveries=max(len(newest) - DELIVERIES, 0),
        estimated=estimated,
        estimated_because=because if newest else "Nothing is published of it.",
    )


def delivery_of(month: Month) -> Delivery:
    """Return the delivery of a published month."""
    return Delivery(
        source=month.source,
        billing_period=month_label(month.billing_period),
        load_id=month.load_id,
        version=month.version,
        published_at=month.published_at,
    )
