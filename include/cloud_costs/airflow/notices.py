"""Messages of insights and reports: written once into `notices`, and sent from there through the channels of alerts."""

import os
from collections.abc import Mapping

from cloud_costs.airflow import alerts
from cloud_costs.database.postgres import Database
from cloud_costs.insights import telling

# Where Airflow has the Costs page.
PAGE = "cloud-costs"


def everyone(addresses: str | None = None, environ: Mapping[str, str] | None = None) -> list[telling.Channel]:
    """Return the channels that all alerts go to. Other addresses may stand in for those of `ALERT_EMAIL_TO`."""
    environ = os.environ if environ is None else environ
    slack, email = environ.get("ALERT_SLACK_CONN_ID"), addresses or environ.get("ALERT_EMAIL_TO")
    return [telling.Channel(slack=slack)] * bool(slack) + [telling.Channel(email=email)] * bool(email)


def page_address() -> str | None:
    """Return the address of the Costs page, where Airflow knows its own address."""
    from cloud_costs.airflow.versions import conf

    base = str(conf.get("api", "base_url", fallback="") or "").rstrip("/")
    return f"{base}/{PAGE}" if base.startswith("http") else None


def send(database: Database, link: str) -> int:
    """Send what is not sent yet, and return how many messages were. `link` is the address of the log."""

    def through_alerts(notice: telling.Notice) -> str | None:
        found = {"ALERT_SLACK_CONN_ID": notice.channel.slack or "", "ALERT_EMAIL_TO": notice.channel.email or ""}
        found["ALERT_SMTP_CONN_ID"] = os.environ.get("ALERT_SMTP_CONN_ID") or ""
        message_id = f"<notice-{notice.notice_id}@{database.schema}.cloud-costs.invalid>"
        report = None
        if notice.report_id is not None:
            from cloud_costs.insights.reports import archive

            report = archive.read(database, notice.report_id, page_address())
        message = alerts.compose(notice.subject, notice.lines, link, message_id, report)
        return "; ".join(alerts.send(message, alerts.channels(found))) or None

    return telling.send_notices(database, through_alerts)
