"""What the tools about anomalies and budgets answer, from the questions of the Costs page."""

from cloud_costs.asking.basis import basis_of
from cloud_costs.asking.models import AnomaliesOf, BudgetNow, BudgetsOf
from cloud_costs.database.postgres import Connection
from cloud_costs.page import anomalies, budgets
from cloud_costs.page.costs import Costs
from cloud_costs.page.insight_models import Budget, BudgetPeriod
from cloud_costs.page.published import Published

OPEN = ("open", "acknowledged")


def anomalies_of(
    costs: Costs, anomaly_id: int | None, everything: bool, connection: Connection, published: Published
) -> AnomaliesOf:
    """Return the events that are open or acknowledged, or all, and one of them with what explains it."""
    wanted = anomalies.Wanted(statuses=() if everything else OPEN)
    found = anomalies.anomalies(costs, wanted, connection, published)
    details = anomalies.anomaly(costs, anomaly_id, connection, published) if anomaly_id is not None else None
    sources = {one.source for one in [*found.anomalies, *([details] if details else [])]}
    return AnomaliesOf(
        basis=basis_of(published, [one for one in published.months if one.source in sources]),
        total=found.total,
        anomalies=found.anomalies,
        details=details,
    )


def budgets_of(costs: Costs, connection: Connection, published: Published) -> BudgetsOf:
    """Return the newest period of each budget that costs match."""
    found = budgets.budgets(costs, 1, connection, published)
    current = [_now(one, one.current) for one in found.budgets if one.current]
    first = min((one.first for one in current), default=None)
    months = [one for one in published.months if first and one.last >= first]
    return BudgetsOf(basis=basis_of(published, months), total=found.total, budgets=current)


def _now(budget: Budget, period: BudgetPeriod) -> BudgetNow:
    known = ("first", "last", "as_of", "amount", "actual", "share", "forecast", "low", "high", "status", "checked_at")
    return BudgetNow(
        **{name: getattr(budget, name) for name in ("budget", "currency", "period", "cost", "filters")},
        **{name: getattr(period, name) for name in known},
    )
