"""The one place where the page writes: what a person decides about an anomaly.

Airflow's login is a cookie, which a browser sends with every request, also with one that a page of somebody else makes
it send. So a decision needs more than the login: it has to come from this page, its sender needs the right to trigger
the DAG `cloud_costs_insights`, and it carries a token that only a page of this origin can read. It is written over a
connection of the loader. The reader stays one that can change nothing.
"""

import logging
import threading
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import psycopg
from fastapi import Request
from itsdangerous import BadSignature, URLSafeTimedSerializer

from cloud_costs.database.postgres import Database
from cloud_costs.errors import CloudCostsError
from cloud_costs.insights.actions import NoSuchEvent, act
from cloud_costs.messages import safe
from cloud_costs.page.insight_models import Decision
from cloud_costs.page.problems import AWAY, NO_SUCH, WRONG, Refusal, refusal_of

log = logging.getLogger(__name__)

HEADER = "X-CSRF-Token"
SECONDS = 3_600
# How long a decision waits for another one, and for a task of cloud_costs_insights that is at work.
WAIT_SECONDS = 5
DENIED = 403


@dataclass(frozen=True)
class Decisions:
    """Where decisions are written: `database` is the loader's. `secret` signs tokens; all API servers have the same."""

    database: Database
    secret: str
    _turn: threading.Lock = field(default_factory=threading.Lock, init=False, repr=False, compare=False)

    def token(self, person: str) -> str:
        """Return a token that is good for this person and an hour."""
        return str(self._signer().dumps(person))

    def require(self, request: Request, token: str | None, person: str, may_decide: bool) -> None:
        """Raise `Refusal` unless the request comes from this page, by one who may decide, with a token of theirs."""
        if not is_own(request):
            raise Refusal(DENIED, "The request comes from another site.", "Decide on the page itself.")
        if not may_decide:
            hint = "Ask who runs Airflow for the right to trigger the DAG cloud_costs_insights."
            raise Refusal(DENIED, "You may not decide about anomalies.", hint)
        try:
            owner = self._signer().loads(token or "", max_age=SECONDS)
        except BadSignature:
            owner = None
        if owner != person:
            hint = f"Send the token of api/session in the header {HEADER}. The page does: load it again."
            raise Refusal(DENIED, "The request has no token, or one that is not good any more.", hint)

    def write(self, anomaly_id: int, decision: Decision, person: str) -> None:
        """Record a decision with the name of who made it."""
        if (decision.action == "mute") != (decision.until is not None):
            raise Refusal(WRONG, "until: muting needs a last day, and nothing else has one.", "Write it as YYYY-MM-DD.")
        # One connection is enough: the database lets one decide after the other anyway.
        if not self._turn.acquire(timeout=WAIT_SECONDS):
            raise Refusal(AWAY, "Other decisions are being written.", "Try again in a few seconds.")
        try:
            note = (decision.note or "").strip() or None
            act(self.database, anomaly_id, decision.action, person, note, decision.until, wait=WAIT_SECONDS)
        except NoSuchEvent as error:
            raise Refusal(NO_SUCH, f"{error}.", "Load the page again.") from error
        except (psycopg.Error, CloudCostsError) as error:
            log.warning("the Costs page: %s", safe(str(error)))
            raise _refusal(error) from error
        finally:
            self._turn.release()

    def _signer(self) -> URLSafeTimedSerializer:
        return URLSafeTimedSerializer(self.secret, salt="cloud_costs decisions")


def is_own(request: Request) -> bool:
    """Tell whether a request comes from this origin, or from a program that is no browser.

    Browsers say it in Sec-Fetch-Site (Fetch Metadata), and over plain HTTP in Origin alone. Neither can be set by a
    page. Proxies that change Host name the one before in X-Forwarded-Host.
    """
    site = request.headers.get("Sec-Fetch-Site")
    if site is not None:
        return site == "same-origin"
    origin = request.headers.get("Origin")
    hosts = {request.headers.get(name, "").lower() for name in ("Host", "X-Forwarded-Host")} - {""}
    return origin is None or urlsplit(origin).netloc.lower() in hosts


def _refusal(error: psycopg.Error | CloudCostsError) -> Refusal:
    if isinstance(error.__cause__, psycopg.errors.LockNotAvailable):
        return Refusal(AWAY, "Anomalies are being brought up to date.", "Try again in a minute.")
    if isinstance(error.__cause__, psycopg.errors.InsufficientPrivilege):
        hint = "Ask who runs Airflow: the connection costs_db has to be of the role that loads."
        return Refusal(AWAY, "The connection costs_db may not write decisions.", hint)
    return refusal_of(error, WAIT_SECONDS)
