"""The context: what there is to ask for."""

from cloud_costs.months import month_label
from cloud_costs.page import amounts, links
from cloud_costs.page.costs import Costs
from cloud_costs.page.models import Context, CurrencyCosts, SourceName
from cloud_costs.page.published import Published


def context(costs: Costs, published: Published) -> Context:
    """Return what the page can ask for; of a database without a published month, the dimensions alone."""
    return Context(
        currencies=[_currency(published, currency) for currency in published.currencies],
        default_currency=next(iter(published.currencies), None),
        months=[month_label(month) for month in published.billing_periods],
        sources=_sources(published),
        dimensions=[one.shown() for one in costs.dimensions()],
        as_of=max((one.published_at for one in published.months), default=None),
        dag_url=links.DAG,
    )


def _currency(published: Published, currency: str) -> CurrencyCosts:
    months = published.in_currency(currency)
    return CurrencyCosts(
        currency=currency,
        first=min(one.first for one in months),
        last=max(one.last for one in months),
        billed_cost=amounts.total(one.billed_cost for one in months),
    )


def _sources(published: Published) -> list[SourceName]:
    clouds: dict[str, set[str]] = {}
    for one in published.months:
        clouds.setdefault(one.source, set()).add(one.cloud_provider)
    return [
        SourceName(name=name, cloud_providers=sorted(found), format=published.formats[name])
        for name, found in sorted(clouds.items())
    ]
