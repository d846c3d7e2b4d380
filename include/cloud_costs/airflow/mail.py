"""Reports as e-mails: HTML with its pictures, a text for clients without HTML, and a PDF.

Airflow's `SmtpNotifier` sends HTML alone, and pictures as files beside it. So the message is made here, and Airflow's
hook brings the connection, its login and its encryption.
"""

from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import formatdate
from typing import Any

from cloud_costs.errors import ConfigError
from cloud_costs.insights.reports.archive import Sent


class ReportMail:
    """Sends a report through an Airflow connection of type SMTP. Commas separate the addresses."""

    def __init__(self, conn_id: str, addresses: str, subject: str, report: Sent, message_id: str | None) -> None:
        self._conn_id, self._addresses = conn_id, addresses
        self._subject, self._report, self._message_id = subject, report, message_id

    def notify(self, context: Any) -> None:
        """Send the mail; raises whatever goes wrong."""
        from airflow.providers.smtp.hooks.smtp import SmtpHook

        with SmtpHook(smtp_conn_id=self._conn_id) as hook:
            if not hook.from_email:
                raise ConfigError(f"the connection {self._conn_id!r} has no From email")
            message = compose(hook.from_email, self._addresses, self._subject, self._report, self._message_id)
            # The hook has no public way to send a message that is made already.
            client: Any = hook._smtp_client
            client.send_message(message)


def compose(sender: str, addresses: str, subject: str, report: Sent, message_id: str | None) -> EmailMessage:
    """Return the mail. A text part comes first: clients show the last part that they understand."""
    message = EmailMessage()
    # A line break in a name from a bill would make a header of its own; EmailMessage refuses it.
    message["Subject"] = " ".join(subject.split())
    message["From"] = sender
    message["To"] = [Address(addr_spec=one.strip()) for one in addresses.split(",") if one.strip()]
    message["Date"] = formatdate(localtime=False)
    if message_id:
        message["Message-ID"] = message_id
    message.set_content(report.text)
    message.add_alternative(report.html, subtype="html")
    html = list(message.iter_parts())[-1]
    for number, picture in enumerate(report.pictures, 1):
        html.add_related(
            picture,
            *("image", "png"),
            cid=f"<picture-{number}@report>",
            filename=f"picture-{number}.png",
            disposition="inline",
        )
    message.add_attachment(report.pdf, maintype="application", subtype="pdf", filename=report.name)
    return message
