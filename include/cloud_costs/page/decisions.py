"""The one place where the page writes: what a person decides about an anomaly.

A decision needs more than the login: it has to come from this page (`tokens`), and its sender needs the right to
trigger the DAG `cloud_costs_insights`. It is written over a connection of the loader. The reader stays one that can
change nothing.
"""

import logging
import threading
from dataclasses import dataclass, field

import psycopg
from fastapi import Request

from cloud_costs.database.postgres import Database
from cloud_costs.errors import CloudCostsError
from cloud_costs.insights.actions import NoSuchEvent, act
from cloud_costs.messages import safe
from cloud_costs.page.insight_models import Decision
from cloud_costs.page.problems import AWAY, NO_SUCH, WRONG, Refusal, refusal_of
from cloud_costs.page.tokens import DENIED, Tokens

log = logging.getLogger(__name__)

# How long a decision waits for another one, and for a task of cloud_costs_insights that is at work.
WAIT_SECONDS = 5


@dataclass(frozen=True)
class Decisions:
    """Where decisions are written: `database` is the loader's. `secret` signs tokens; all API servers have the same."""

    database: Database
    secret: str
    _turn: threading.Lock = field(default_factory=threading.Lock, init=False, repr=False, compare=False)

    def token(self, person: str) -> str:
        """Return a token that is good for this person and an hour."""
        return self._tokens.of(person)

    def require(self, request: Request, token: str | None, person: str, may_decide: bool) -> None:
        """Raise `Refusal` unless the request comes from this page, by one who may decide, with a token of theirs."""
        self._tokens.require_own_site(request)
        if not may_decide:
            hint = "Ask who runs Airflow for the right to trigger the DAG cloud_costs_insights."
            raise Refusal(DENIED, "You may not decide about anomalies.", hint)
        self._tokens.require(token, person, "api/session")

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

    @property
    def _tokens(self) -> Tokens:
        return Tokens(self.secret, "decisions")


def _refusal(error: psycopg.Error | CloudCostsError) -> Refusal:
    if isinstance(error.__cause__, psycopg.errors.LockNotAvailable):
        return Refusal(AWAY, "Anomalies are being brought up to date.", "Try again in a minute.")
    if isinstance(error.__cause__, psycopg.errors.InsufficientPrivilege):
        hint = "Ask who runs Airflow: the connection costs_db has to be of the role that loads."
        return Refusal(AWAY, "The connection costs_db may not write decisions.", hint)
    return refusal_of(error, WAIT_SECONDS)
