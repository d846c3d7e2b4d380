"""Alerts: one message for each run with problems, to Slack and by e-mail, with failures and stale sources.

They go through Airflow's notifiers, where a connection or an address is set (`ALERT_SLACK_CONN_ID`, `ALERT_EMAIL_TO`),
and have the lines that the log of the task `report` has. A message that cannot be sent is logged as an error, and no
task fails because of it.
"""

import html
import logging
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

from cloud_costs.errors import ConfigError
from cloud_costs.messages import safe

if TYPE_CHECKING:
    from cloud_costs.insights.reports.archive import Sent

log = logging.getLogger(__name__)

DEFAULT_SMTP = "smtp_default"
# Slack cuts a message after 40,000 characters. These two limits multiply to less than half of that.
MAX_LINES = 24
MAX_CHARACTERS = 800


@dataclass(frozen=True)
class Message:
    """A message: its subject, a line for each problem, and the address of a task's log.

    An e-mail that may be sent twice has a `message_id`, by which mail systems know that they have it. A message with a
    `report` is that report as an e-mail, and its lines and the address of the report in Slack.
    """

    subject: str
    lines: Sequence[str]
    link: str
    message_id: str | None = None
    report: "Sent | None" = None

    def as_slack(self) -> str:
        """Return the text for Slack, whose markup is made of `&`, `<` and `>`."""
        lines = [f"• {_slack(line)}" for line in self.lines]
        link = f"<{self.report.link}|The whole report>" if self.report and self.report.link else None
        return "\n".join([f"*{_slack(self.subject)}*", *lines, link or f"<{self.link}|Log in Airflow>"])

    def as_html(self) -> str:
        """Return the body of an e-mail, with everything that comes from outside escaped."""
        lines = "".join(f"<li>{html.escape(line)}</li>" for line in self.lines)
        link = f'<a href="{html.escape(self.link)}">Log in Airflow</a>'
        return f"<p>{html.escape(self.subject)}</p><ul>{lines}</ul><p>{link}</p>"


class Notifier(Protocol):
    """The part of Airflow's notifiers that this module uses.

    Airflow renders the text of a notifier as a Jinja template when the notifier is called as a function. The text holds
    names of files and words of errors, which must not be run as a template. So only `notify` is called.
    """

    def notify(self, context: Any) -> None:
        """Send the message; raises whatever goes wrong."""


@dataclass(frozen=True)
class Channel:
    """One way to send a message. `notifier` raises `ConfigError` where its connection is not set up."""

    name: str
    notifier: Callable[[Message], Notifier]


def compose(
    subject: str, lines: Sequence[str], link: str, message_id: str | None = None, report: "Sent | None" = None
) -> Message:
    """Return a message that is short enough to be shown whole: at most 24 lines of 800 characters."""
    short = [line if len(line) <= MAX_CHARACTERS else line[: MAX_CHARACTERS - 1] + "…" for line in lines[:MAX_LINES]]
    if len(lines) > MAX_LINES:
        short.append(f"and {len(lines) - MAX_LINES} more")
    return Message(subject, short, link, message_id, report)


def channels(environ: Mapping[str, str] | None = None) -> list[Channel]:
    """Return the channels of alerts: one for each connection or address that is set."""
    environ = os.environ if environ is None else environ
    found = []
    if slack := environ.get("ALERT_SLACK_CONN_ID"):
        found.append(Channel(f"Slack (connection {slack!r})", partial(_to_slack, slack)))
    if addresses := environ.get("ALERT_EMAIL_TO"):
        smtp = environ.get("ALERT_SMTP_CONN_ID") or DEFAULT_SMTP
        found.append(Channel(f"{addresses} (connection {smtp!r})", partial(_to_email, smtp, addresses)))
    return found


def send(message: Message, through: Sequence[Channel] | None = None) -> list[str]:
    """Send the message on the channels, or on all. Log the errors, and return them, a line for each channel."""
    problems = []
    for channel in channels() if through is None else through:
        # Any exception: the report of a run must not fail because Slack or a mail server does.
        try:
            channel.notifier(message).notify({})
        except Exception as error:
            problems.append(f"no alert could be sent to {channel.name}: {safe(' '.join(str(error).split()))}")
            log.error("%s", problems[-1])
        else:
            log.info("an alert was sent to %s", channel.name)
    return problems


def check(message: Message) -> list[str]:
    """Return an error for each channel that is not set up. Nothing is sent, so a wrong password is not noticed."""
    problems = []
    for channel in channels():
        try:
            channel.notifier(message)
        except ConfigError as error:
            problems.append(f"no alert can be sent to {channel.name}: {error}")
    return problems


def _to_slack(conn_id: str, message: Message) -> Notifier:
    """Return Airflow's notifier for a connection of type Slack Incoming Webhook."""
    from cloud_costs.airflow import connections

    connections.require(conn_id, "Slack Incoming Webhook")
    try:
        from airflow.providers.slack.notifications.slack_webhook import SlackWebhookNotifier
    except ImportError:
        raise ConfigError("the package apache-airflow-providers-slack is not installed") from None
    return SlackWebhookNotifier(slack_webhook_conn_id=conn_id, text=message.as_slack())


def _to_email(conn_id: str, addresses: str, message: Message) -> Notifier:
    """Return a notifier for a connection of type SMTP, which names the sender. Commas separate addresses."""
    from airflow.providers.smtp.notifications.smtp import SmtpNotifier

    from cloud_costs.airflow import connections

    connections.require(conn_id, "SMTP")
    if message.report:
        from cloud_costs.airflow.mail import ReportMail

        return ReportMail(conn_id, addresses, message.subject, message.report, message.message_id)
    headers = {"Message-ID": message.message_id} if message.message_id else None
    return SmtpNotifier(
        smtp_conn_id=conn_id,
        to=addresses,
        subject=message.subject,
        html_content=message.as_html(),
        custom_headers=headers,
    )


def _slack(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
