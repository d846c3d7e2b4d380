"""Why the page has no answer: one sentence for people, and what to do."""

import psycopg

from cloud_costs.errors import CloudCostsError, ConfigError
from cloud_costs.messages import safe

NO_SUCH, WRONG, TOO_MUCH, AWAY = 404, 422, 422, 503
NOTHING_PUBLISHED = "Nothing is published yet."
RUN_THE_DAG = "Trigger the DAG cloud_costs, and open the page again when its run has ended."


class Refusal(Exception):
    """An answer with a status of HTTP, a sentence and a hint instead of data."""

    def __init__(self, status: int, detail: str, hint: str) -> None:
        super().__init__(detail)
        self.status, self.detail, self.hint = status, safe(detail), safe(hint)


def nothing_published() -> Refusal:
    """Return the refusal of a database without a published month."""
    return Refusal(NO_SUCH, NOTHING_PUBLISHED, RUN_THE_DAG)


def refusal_of(error: psycopg.Error | CloudCostsError, seconds: float) -> Refusal:
    """Return what people are told about an error of the database; the log has PostgreSQL's own words."""
    cause = error if isinstance(error, psycopg.Error) else error.__cause__
    if isinstance(error, ConfigError):
        return Refusal(AWAY, f"The database of the costs is not configured: {error}", "Ask who runs Airflow.")
    if isinstance(cause, psycopg.errors.QueryCanceled):
        return Refusal(
            AWAY,
            f"The database did not answer within {seconds:g} seconds.",
            "Ask for fewer days, or without region, invoice and tags, or try again when it has less to do.",
        )
    if isinstance(cause, psycopg.errors.UndefinedTable | psycopg.errors.InvalidSchemaName):
        return Refusal(AWAY, "The tables of the costs are not there, or of an earlier version.", RUN_THE_DAG)
    if isinstance(cause, psycopg.errors.InsufficientPrivilege):
        return Refusal(
            AWAY,
            f"The page's database role may not read the costs: {cause.diag.message_primary}.",
            "Trigger the DAG cloud_costs, whose views grant the reader role what it needs, or ask who runs Airflow.",
        )
    hint = "Try again in a minute, or ask who runs Airflow."
    return Refusal(AWAY, "The database of the costs does not answer.", hint)
