"""The JSON API of anomalies, budgets and reports, and the one request that writes: a decision about an anomaly.

Its answers are not kept: they change with the insights, and not with what is published.
"""

from collections.abc import Callable
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, Path, Query, Request, Response
from fastapi.responses import HTMLResponse

from cloud_costs.database.postgres import Connection
from cloud_costs.page import anomalies, budgets, reports
from cloud_costs.page.api import MAX_ID, MAX_PAGE, PROBLEMS
from cloud_costs.page.costs import Costs
from cloud_costs.page.decisions import Decisions
from cloud_costs.page.insight_models import (
    Anomalies,
    AnomalyDetails,
    Budgets,
    Decision,
    ReportDetails,
    ReportKind,
    Reports,
    Session,
    Severity,
    Status,
)
from cloud_costs.page.models import Model, Problem
from cloud_costs.page.published import Published
from cloud_costs.page.tokens import HEADER

MAX_VALUES = 100
PDF = "application/pdf"
PERIOD = r"^\d{4}-(\d{2}|\d{2}-\d{2}|W\d{2})$"
Page = Annotated[int, Query(ge=1, le=MAX_PAGE)]
ReportId = Annotated[int, Path(ge=1, le=MAX_ID)]
# A report holds pictures and styles of its own. It runs nothing, loads nothing and leads nowhere, whatever is in it.
SEALED = {
    "Content-Security-Policy": "default-src 'none'; img-src data:; style-src 'unsafe-inline'; sandbox; "
    "frame-ancestors 'self'"
}
AnomalyId = Annotated[int, Path(ge=1, le=MAX_ID)]
SourceNames = Annotated[list[Annotated[str, Query(pattern=r"^[^\x00]*$")]], Query(max_length=MAX_VALUES)]
DENIED: dict[int | str, dict[str, Any]] = {
    403: {
        "model": Problem,
        "description": "No right to trigger the DAG cloud_costs_insights, another site, or no token of api/session.",
    }
}


def router(costs: Costs, user: Callable[..., str], may_decide: Callable[..., bool], decisions: Decisions) -> APIRouter:
    """Return the routes. `user` and `may_decide` are dependencies that tell who asks, and whether they may decide."""
    api = APIRouter(prefix="/api", responses=PROBLEMS)

    @api.get("/anomalies", response_model=Anomalies)
    def get_anomalies(
        source: SourceNames = [],  # noqa: B006  FastAPI copies it for each request
        status: Annotated[list[Status], Query(max_length=MAX_VALUES)] = [],  # noqa: B006  likewise
        severity: Annotated[list[Severity], Query(max_length=MAX_VALUES)] = [],  # noqa: B006  likewise
        news: bool | None = None,
        page: Page = 1,
    ) -> Response:
        """Anomalies, 50 a page: the open ones first, then the newest."""
        wanted = anomalies.Wanted(source, status, severity, news, page)
        return _answer(costs, lambda *found: anomalies.anomalies(costs, wanted, *found))

    @api.get("/anomalies/{anomaly_id}", response_model=AnomalyDetails)
    def get_anomaly(anomaly_id: AnomalyId) -> Response:
        """One anomaly: its days, its parts, the load it was seen in, and who decided what about it."""
        return _answer(costs, lambda *found: anomalies.anomaly(costs, anomaly_id, *found))

    @api.post("/anomalies/{anomaly_id}", response_model=AnomalyDetails, responses=DENIED)
    def decide(
        request: Request,
        anomaly_id: AnomalyId,
        decision: Decision,
        person: Annotated[str, Depends(user)],
        may: Annotated[bool, Depends(may_decide)],
        token: Annotated[str | None, Header(alias=HEADER, description="The token of api/session.")] = None,
    ) -> Response:
        """Acknowledge an anomaly, mute its kind until a day, or mark it as expected. Returns it as it is then."""
        decisions.require(request, token, person, may)
        decisions.write(anomaly_id, decision, person)
        return _answer(costs, lambda *found: anomalies.anomaly(costs, anomaly_id, *found))

    @api.get("/session", response_model=Session)
    def get_session(person: Annotated[str, Depends(user)], may: Annotated[bool, Depends(may_decide)]) -> Session:
        """Who asks, and what they need to decide about an anomaly."""
        return Session(person=person, may_decide=may, token=decisions.token(person) if may else None)

    @api.get("/budgets", response_model=Budgets)
    def get_budgets(page: Page = 1) -> Response:
        """Budgets by name, 50 a page: what was spent, what is expected, and which thresholds that reached."""
        return _answer(costs, lambda *found: budgets.budgets(costs, page, *found))

    _add_reports(api, costs)
    return api


def _add_reports(api: APIRouter, costs: Costs) -> None:
    @api.get("/reports", response_model=Reports)
    def get_reports(
        kind: ReportKind | None = None,
        period: Annotated[str | None, Query(pattern=PERIOD, description="2025-03-31, 2025-W13 or 2025-03")] = None,
        page: Page = 1,
    ) -> Response:
        """Reports, 50 a page, the newest first."""
        return _answer(costs, lambda connection, _: reports.reports(costs, kind, period, page, connection))

    # Before the one without an ending, which would take these for numbers that are wrong.
    @api.get("/reports/{report_id}.html", response_class=HTMLResponse)
    def get_report_html(report_id: ReportId) -> Response:
        """A report as HTML, with its pictures in it."""
        _, content = costs.answer(lambda connection, _: reports.file(costs, report_id, "html", connection))
        return HTMLResponse(content, headers=SEALED)

    @api.get("/reports/{report_id}.pdf", response_class=Response, responses={200: {"content": {PDF: {}}}})
    def get_report_pdf(report_id: ReportId) -> Response:
        """A report as PDF."""
        name, content = costs.answer(lambda connection, _: reports.file(costs, report_id, "pdf", connection))
        headers = {"Content-Disposition": f'attachment; filename="{name}.pdf"'}
        return Response(bytes(content), media_type=PDF, headers=headers)

    @api.get("/reports/{report_id}", response_model=ReportDetails)
    def get_report(report_id: ReportId) -> Response:
        """A report: what it says, and which deliveries it knows."""
        return _answer(costs, lambda *found: reports.report(costs, report_id, *found))


def _answer(costs: Costs, work: Callable[[Connection, Published], Model]) -> Response:
    content = costs.answer(lambda *found: work(*found).model_dump_json(by_alias=True))
    return Response(content, media_type="application/json")
