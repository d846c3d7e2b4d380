"""The errors of this package, in two kinds: those that may pass when tried again, and those that cannot.

Airflow retries a task that raises a `TransientError` and fails one that raises a `PermanentError` at once
(`dags/cloud_costs.py` sets the retry policy). Every message names the source, the month and the file or
relation it is about, and never a secret.
"""

from cloud_costs.messages import safe


class CloudCostsError(Exception):
    """Base of every error this package raises on purpose; its message is `safe` to log."""

    def __init__(self, message: str = "") -> None:
        super().__init__(safe(message))


class PermanentError(CloudCostsError):
    """Trying again changes nothing: somebody has to mend the configuration, the bucket or the bill."""


class TransientError(CloudCostsError):
    """Trying again later may succeed."""


class ConfigError(PermanentError, ValueError):
    """A setting, a parameter or `sources.yaml` is wrong."""


class StorageDenied(PermanentError):
    """Object storage refused: no such bucket, wrong credentials, missing rights."""


class StorageUnavailable(TransientError):
    """Object storage did not answer."""


class DeliveryError(PermanentError):
    """A delivery is not what its format promises: no manifest, a broken one, an unreadable file."""


class DeliveryNotReady(TransientError):
    """A listed file is missing, or the delivery changed while it was read."""


class ColumnTypeError(PermanentError):
    """No type of a column holds both the published and the delivered values."""


class DatabaseUnavailable(TransientError):
    """PostgreSQL did not answer, or closed the connection."""


class DatabaseDenied(PermanentError):
    """PostgreSQL refused: wrong password, no such database, missing rights."""


class SchemaTooNew(PermanentError):
    """A newer version of this package made the tables; this version does not know what they mean."""


class LoadBusy(TransientError):
    """Another load of the same source and month is running."""


class LoadLost(PermanentError):
    """The tables that a step needs are gone; the message says which task to clear."""


class AuditFailed(PermanentError):
    """A check of severity `error` found violations; the month stays as it was published before."""


class ExportFailed(PermanentError):
    """The files of an export do not hold what PostgreSQL holds; the month stays as it was exported before."""


class NotSent(TransientError):
    """A channel did not take a report."""


class PublishBlocked(TransientError):
    """A reader held a lock for longer than publishing may wait."""
