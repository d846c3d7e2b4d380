"""The JSON API of the page: everything that it shows of costs and loads, and nothing that it could change.

`insights_api` has the rest.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query, Request, Response
from fastapi.responses import JSONResponse

from cloud_costs.database.postgres import Connection
from cloud_costs.months import parse_month
from cloud_costs.page import charges, commitments, context, downloads, explore, loads, months, overview
from cloud_costs.page.costs import Costs
from cloud_costs.page.load_models import Changes, Charges, Commitments, Lines, Load, Months
from cloud_costs.page.models import Context, Explore, Model, Overview, Problem
from cloud_costs.page.published import Published
from cloud_costs.page.questions import (
    Asked,
    BillingMonth,
    Currency,
    FirstMonth,
    Groups,
    LastMonth,
    Metric,
    Per,
    Question,
    asked,
    dimensions_of,
)

PROBLEMS: dict[int | str, dict[str, Any]] = {
    401: {"model": Problem, "description": "No login."},
    403: {"model": Problem, "description": "No right to read the DAG cloud_costs."},
    404: {"model": Problem, "description": "Nothing is published, or there is no such load or line."},
    422: {"model": Problem, "description": "A parameter is wrong; the sentence names it."},
    503: {"model": Problem, "description": "The database is away, busy or slow."},
}
MAX_TOP = 50
PARQUET = "application/vnd.apache.parquet"
MAX_PAGE = 10_000
MAX_ID = 2**63 - 1


def router(costs: Costs, describe: Callable[[], dict[str, Any]]) -> APIRouter:
    """Return the routes of the API."""
    api = APIRouter(prefix="/api", responses=PROBLEMS)
    _add_costs(api, costs)
    _add_lines(api, costs)
    _add_loads(api, costs)

    @api.get("/openapi.json", include_in_schema=False)
    def openapi() -> JSONResponse:
        return JSONResponse(describe())

    return api


def answer(
    costs: Costs, request: Request, work: Callable[[Connection, Published], Model], seconds: float | None = None
) -> Response:
    """Return the answer to a request as JSON; the same one until something is published.

    FastAPI would check every value of it once more.
    """
    address = f"{request.scope['path']}?{request.url.query}"
    content = costs.kept(address, lambda *found: work(*found).model_dump_json(by_alias=True).encode(), seconds)
    return Response(content, media_type="application/json")


def question(
    common: Annotated[Asked, Depends(asked)],
    groups: Groups = [],  # noqa: B006  FastAPI copies it for each request
    metric: Metric = "billed_cost",
    per: Per = "day",
    compare: Annotated[str, Query(pattern="^(previous|none)$", description="previous or none")] = "previous",
    top: Annotated[int, Query(ge=1, le=MAX_TOP, description="How many groups are shown apart.")] = 10,
) -> Callable[[Published], Question]:
    """Return the question of Explore and its downloads, which what is published completes."""
    dimensions = dimensions_of(groups)

    def complete(published: Published) -> Question:
        return Question(
            range=common.range(published),
            dates=common.dates,
            groups=dimensions,
            filters=common.filters,
            metric=metric,
            per=per,
            currency=published.currency(common.currency),
            compare=compare == "previous",
            top=top,
        )

    return complete


Complete = Annotated[Callable[[Published], Question], Depends(question)]


def _add_costs(api: APIRouter, costs: Costs) -> None:
    @api.get("/context", response_model=Context)
    def get_context(request: Request) -> Response:
        """What the page can ask for."""
        return answer(costs, request, lambda _, published: context.context(costs, published))

    @api.get("/overview", response_model=Overview)
    def get_overview(request: Request, currency: Currency = None) -> Response:
        """The newest billing month so far, against the same days of the month before."""
        return answer(costs, request, lambda *found: overview.overview(costs, currency, *found))

    @api.get("/explore", response_model=Explore)
    def get_explore(request: Request, complete: Complete) -> Response:
        """Costs of a range by up to two dimensions."""
        return answer(costs, request, lambda *found: explore.explore(costs, complete(found[1]), *found))

    @api.get("/explore.csv", response_class=Response, responses={200: {"content": {"text/csv": {}}}})
    def get_csv(complete: Complete) -> Response:
        """The same as CSV: every group, with all digits."""
        return _file(downloads.as_csv(_download(complete)), "text/csv; charset=utf-8", "csv")

    @api.get("/explore.parquet", response_class=Response, responses={200: {"content": {PARQUET: {}}}})
    def get_parquet(complete: Complete) -> Response:
        """The same as Parquet: every group, with decimals of all digits."""
        return _file(downloads.as_parquet(_download(complete)), PARQUET, "parquet")

    @api.get("/commitments", response_model=Commitments)
    def get_commitments(
        request: Request, first: FirstMonth = None, last: LastMonth = None, currency: Currency = None
    ) -> Response:
        """Utilization, coverage and unused cost of commitments, by billing months."""
        months_of = (parse_month(first) if first else None, parse_month(last) if last else None)
        return answer(costs, request, lambda *found: commitments.commitments(costs, *months_of, currency, *found))

    def _download(complete: Callable[[Published], Question]) -> downloads.Download:
        return costs.answer(lambda *found: downloads.download(costs, complete(found[1]), *found))


def _add_lines(api: APIRouter, costs: Costs) -> None:
    @api.get("/charges", response_model=Charges)
    def get_charges(
        request: Request,
        common: Annotated[Asked, Depends(asked)],
        page: Annotated[int, Query(ge=1, le=MAX_PAGE)] = 1,
        order: Annotated[
            charges.Order, Query(description="stored: as they are found, at once. largest: reads the whole range.")
        ] = "stored",
    ) -> Response:
        """The FOCUS charges behind a number, 200 a page."""

        def wanted(published: Published) -> charges.Wanted:
            return charges.Wanted(
                range=common.range(published),
                by_billing_months=common.dates == "billing",
                filters=common.filters,
                currency=published.currency(common.currency),
                page=page,
                order=order,
            )

        return answer(costs, request, lambda *found: charges.charges(costs, wanted(found[1]), *found), charges.SECONDS)

    @api.get("/lines", response_model=Lines)
    def get_lines(
        request: Request,
        source: str,
        billing_period: BillingMonth,
        line: Annotated[str, Query(description="The `line` of a charge.")],
    ) -> Response:
        """The exported line behind a charge, with every exported column."""
        month = parse_month(billing_period)
        return answer(costs, request, lambda *found: charges.lines(costs, source, month, line, *found))


def _add_loads(api: APIRouter, costs: Costs) -> None:
    @api.get("/loads/{load_id}", response_model=Load)
    def get_load(request: Request, load_id: Annotated[int, Path(ge=1, le=MAX_ID)]) -> Response:
        """One load: its files, its checks, and what it changed."""
        return answer(costs, request, lambda *found: loads.load(costs, load_id, *found))

    @api.get("/changes", response_model=Changes)
    def get_changes(
        request: Request,
        source: str,
        billing_period: BillingMonth,
        since: Annotated[datetime | None, Query(description="A day or a time; days begin at midnight UTC.")] = None,
    ) -> Response:
        """The loads of a billing month, newest first, and why its numbers changed."""
        month = parse_month(billing_period)
        return answer(costs, request, lambda *found: loads.changes(costs, source, month, since, *found))

    @api.get("/months", response_model=Months)
    def get_months(request: Request) -> Response:
        """Every source and billing month: the published version, its checks, and what is wrong."""
        return answer(costs, request, lambda *found: months.months(costs, *found))


def _file(content: bytes, media_type: str, ending: str) -> Response:
    headers = {"Content-Disposition": f'attachment; filename="cloud-costs.{ending}"'}
    return Response(content, media_type=media_type, headers=headers)
