"""The app: who may see it, its pages, and what goes wrong.

Everything is behind the same guard, also the API's description, downloads and static files. What a browser asks
without a login leads to the log-in and back; what a program asks is refused with JSON. All links are relative, so that
the page works below any path and behind a proxy.
"""

import logging
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import Depends, FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, JSONResponse, RedirectResponse
from fastapi.templating import Jinja2Templates
from starlette.exceptions import HTTPException
from starlette.middleware.gzip import GZipMiddleware

from cloud_costs.page import api, assets, insights_api
from cloud_costs.page.costs import Costs
from cloud_costs.page.decisions import Decisions
from cloud_costs.page.models import Problem
from cloud_costs.page.problems import WRONG, Refusal

log = logging.getLogger(__name__)

_TEMPLATES = Jinja2Templates(directory=Path(__file__).parent / "templates")
# The pages by their path; the overview is at the root.
VIEWS = ("explore", "anomalies", "budgets", "reports", "commitments", "changes", "months", "charges", "lines")
SECURITY = {
    # Plotly.js sets styles of elements; it needs no other permission.
    "Content-Security-Policy": "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; "
    "object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'self'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
}
WORDS = {
    401: ("You are not logged in.", "Log in to Airflow, and come back."),
    403: ("You may not see the costs.", "Ask who runs Airflow for the right to read the DAG cloud_costs."),
    404: ("There is no such page.", "Begin with the overview."),
}
Guard = Callable[..., Any]


def create_app(
    costs: Costs,
    guard: Guard,
    user: Callable[..., str],
    may_decide: Callable[..., bool],
    decisions: Decisions,
    asks: bool = False,
) -> FastAPI:
    """Return the app. `guard` raises HTTP 401 or 403 for who may not see it, and `user` tells who asks.

    `may_decide` tells whether they may decide about anomalies. These three are dependencies of FastAPI. With `asks`,
    there is a view for questions, whose API another room adds (`asking.box`).
    """
    app = FastAPI(
        title="Cloud Costs",
        description="What the Costs page shows. Amounts are exact decimals in strings.",
        dependencies=[Depends(guard)],
        # The ones that FastAPI serves itself would be public.
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        servers=[{"url": ".."}],
    )
    app.include_router(api.router(costs, description_of(app)))
    app.include_router(insights_api.router(costs, user, may_decide, decisions))
    _add_static(app)
    _add_pages(app, user, asks)
    app.add_middleware(GZipMiddleware, minimum_size=10_000, compresslevel=1)
    app.middleware("http")(_with_headers)
    app.add_exception_handler(Refusal, _refused)
    app.add_exception_handler(RequestValidationError, _not_valid)
    app.add_exception_handler(HTTPException, _not_allowed)
    return app


def description_of(app: FastAPI) -> Callable[[], dict[str, Any]]:
    """Return a function that returns the API's description, once it has all its parts."""
    return lambda: app.openapi()


def path_of(request: Request) -> str:
    """Return the path below the app's root. Servers hand over the whole path, or the one behind their own prefix."""
    path, root = str(request.scope["path"]), str(request.scope.get("root_path", ""))
    return path.removeprefix(root) if path.startswith(f"{root}/") else path


def root_of(request: Request) -> str:
    """Return the relative address of the app's root, seen from the page that is asked for."""
    depth = path_of(request).strip("/").count("/")
    return "/".join([".."] * depth) or "."


def _add_static(app: FastAPI) -> None:
    @app.get("/static/{version}/{name:path}", include_in_schema=False)
    def static(request: Request, version: str, name: str) -> Response:
        found = assets.find(name) if version == assets.version() else None
        if found is None:
            raise HTTPException(404)
        headers = {"Cache-Control": assets.FOR_EVER, "Vary": "Accept-Encoding"}
        if found.compressed and "gzip" in request.headers.get("Accept-Encoding", ""):
            headers["Content-Encoding"] = "gzip"
            return Response(found.compressed, media_type=found.media_type, headers=headers)
        return Response(found.content, media_type=found.media_type, headers=headers)


def _add_pages(app: FastAPI, user: Callable[..., str], asks: bool) -> None:
    def page(request: Request, view: str, name: str) -> HTMLResponse:
        root = root_of(request)
        version = assets.version()
        context = {
            "view": view,
            "root": root,
            "version": version,
            "plotly": f"{root}/static/{version}/{assets.PLOTLY}",
            "user": name,
            "asks": asks,
        }
        return _TEMPLATES.TemplateResponse(request, f"{view}.html", context)

    def add(path: str, view: str) -> None:
        @app.get(path, include_in_schema=False, response_class=HTMLResponse)
        def show(request: Request, name: Annotated[str, Depends(user)]) -> HTMLResponse:
            return page(request, view, name)

    add("/", "overview")
    for view in (*VIEWS, *(["ask"] if asks else [])):
        add(f"/{view}", view)
    add("/loads/{load_id}", "load")
    add("/anomalies/{anomaly_id}", "anomaly")


async def _with_headers(request: Request, call_next: Callable[[Request], Awaitable[Response]]) -> Response:
    response = await call_next(request)
    for name, value in SECURITY.items():
        response.headers.setdefault(name, value)
    # Costs are nobody else's business: no proxy and no disk keeps them.
    response.headers.setdefault("Cache-Control", "no-store")
    return response


def _wants_page(request: Request) -> bool:
    path = path_of(request)
    return "text/html" in request.headers.get("Accept", "") and not path.startswith(("/api/", "/static/"))


async def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, Refusal)  # noqa: S101  for mypy; it is registered for no other
    return _problem(request, error.status, error.detail, error.hint)


async def _not_valid(request: Request, error: Exception) -> Response:
    """Name the first parameter that is wrong, what it is and what is allowed."""
    assert isinstance(error, RequestValidationError)  # noqa: S101  likewise
    first = error.errors()[0]
    name = str(first["loc"][-1] if isinstance(first["loc"][-1], str) else first["loc"][-2])
    detail = f"{name}: {first['input']!r} is not valid." if first["type"] != "missing" else f"{name} is missing."
    hint = "Write a day as YYYY-MM-DD." if first["type"].startswith("date") else f"{first['msg']}."
    return _problem(request, WRONG, detail, hint)


async def _not_allowed(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101  likewise
    if error.status_code == 401 and _wants_page(request):
        return RedirectResponse(_login(request), status_code=303)
    detail, hint = WORDS.get(error.status_code, (str(error.detail), "Begin with the overview."))
    return _problem(request, error.status_code, detail, hint)


def _login(request: Request) -> str:
    """Return the relative address of Airflow's log-in, which leads back to the page that is asked for."""
    own = path_of(request)
    query = f"?{request.url.query}" if request.url.query else ""
    back = f"{request.scope.get('root_path', '')}{own}{query}"
    return f"{root_of(request)}/../api/v2/auth/login?{urlencode({'next': back})}"


def _problem(request: Request, status: int, detail: str, hint: str) -> Response:
    if _wants_page(request):
        context = {"detail": detail, "hint": hint}
        return _TEMPLATES.TemplateResponse(request, "refused.html", context, status_code=status)
    return JSONResponse(Problem(detail=detail, hint=hint).model_dump(), status)
