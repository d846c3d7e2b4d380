"""The archive of reports: the list, what one says, and its files."""

from typing import Any

from psycopg import sql
from psycopg.rows import class_row, dict_row

from cloud_costs.database import sql_files
from cloud_costs.database.postgres import Connection
from cloud_costs.page.costs import Costs
from cloud_costs.page.dimensions import Bound
from cloud_costs.page.insight_models import Report, ReportDetails, Reports
from cloud_costs.page.problems import NO_SUCH, Refusal
from cloud_costs.page.published import Published

SIZE = 50


def reports(costs: Costs, kind: str | None, period: str | None, page: int, connection: Connection) -> Reports:
    """Return a page of the reports of a kind and of a period, or of all."""
    table, bound = costs.database.table("reports"), Bound()
    wanted = {name: value for name, value in (("kind", kind), ("period", period)) if value is not None}
    conditions = [sql.SQL("{} = {}").format(sql.Identifier(name), bound(value)) for name, value in wanted.items()]
    condition = sql.SQL(" and ").join([sql.SQL("true"), *conditions])
    counted = connection.execute(
        sql_files.compose("select count(*) from {reports} where {condition}", reports=table, condition=condition), bound
    ).fetchone()
    (total,) = counted or (0,)
    skipped = (page - 1) * SIZE
    statement = sql_files.compose(
        sql_files.read("page/reports.sql"),
        reports=table,
        condition=condition,
        at_most=bound(SIZE),
        skipped=bound(skipped),
    )
    with connection.cursor(row_factory=class_row(Report)) as cursor:
        found = cursor.execute(statement, bound).fetchall()
    return Reports(page=page, next=page + 1 if skipped + len(found) < total else None, total=total, reports=found)


def report(costs: Costs, report_id: int, connection: Connection, _: Published) -> ReportDetails:
    """Return what a report says. Raises `Refusal` where there is none of this number."""
    return ReportDetails(**_read(costs, report_id, connection, tuple(ReportDetails.model_fields)))


def file(costs: Costs, report_id: int, column: str, connection: Connection) -> tuple[str, Any]:
    """Return the name of a report's file, without its ending, and its content. Raises `Refusal` as `report` does."""
    row = _read(costs, report_id, connection, ("kind", "period", column))
    return f"cloud-costs-{row['kind']}-{row['period']}", row[column]


def _read(costs: Costs, report_id: int, connection: Connection, columns: tuple[str, ...]) -> dict[str, Any]:
    statement = sql.SQL("select {} from {} where report_id = %s").format(
        sql.SQL(", ").join(map(sql.Identifier, columns)), costs.database.table("reports")
    )
    with connection.cursor(row_factory=dict_row) as cursor:
        row = cursor.execute(statement, [report_id]).fetchone()
    if row is None:
        raise Refusal(NO_SUCH, f"There is no report {report_id}.", "Reports lists those that there are.")
    return row
