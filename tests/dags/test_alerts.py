"""Alerts of real runs, through Airflow's notifiers, to an HTTP server and an SMTP server on this machine."""

import email.policy
import http.server
import json
import os
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
from email.message import EmailMessage
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session
from deliveries import write_month
from insights_bill import DATA
from insights_bill import Bill as InsightsBill
from pipeline import JANUARY
from side_by_side import free_port

from cloud_costs.airflow import reports
from cloud_costs.demo.sample_bill import Bill
from cloud_costs.errors import NotSent
from cloud_costs.insights.reports import archive, periods
from cloud_costs.insights.telling import TRIES, Channel
from cloud_costs.months import next_month

FEBRUARY = next_month(JANUARY)
TOKEN = "T000/B000/token-that-no-log-may-show"
MANIFEST = "cup/CUP-Cost-Usage-Report/20250101-20250201/CUP-Cost-Usage-Report-Manifest.json"


@dataclass
class Slack:
    """An incoming webhook: keeps what it is sent, and answers with `status`."""

    port: int = 0
    status: int = 200
    texts: list[str] = field(default_factory=list)


@pytest.fixture
def slack(monkeypatch: pytest.MonkeyPatch) -> Iterator[Slack]:
    found = Slack()

    class Webhook(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            assert self.path == f"/services/{TOKEN}"
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            found.texts.append(body["text"])
            self.send_response(found.status)
            self.end_headers()
            self.wfile.write(b"ok" if found.status == 200 else b"no_service")

        def log_message(self, *arguments: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Webhook)
    found.port = server.server_port
    threading.Thread(target=server.serve_forever, daemon=True).start()
    for name in ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy"):
        monkeypatch.delenv(name, raising=False)
    connection = {
        "conn_type": "slackwebhook",
        "host": f"http://127.0.0.1:{found.port}/services",
        "password": TOKEN,
    }
    monkeypatch.setenv("AIRFLOW_CONN_COSTS_SLACK", json.dumps(connection))
    monkeypatch.setenv("ALERT_SLACK_CONN_ID", "costs_slack")
    yield found
    server.shutdown()
    server.server_close()


class Inbox:
    """An SMTP server's handler: keeps the messages and to whom they go."""

    def __init__(self) -> None:
        self.received: list[tuple[list[str], EmailMessage]] = []

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        message = email.message_from_bytes(envelope.original_content or b"", policy=email.policy.default)
        assert isinstance(message, EmailMessage)
        self.received.append((envelope.rcpt_tos, message))
        return "250 OK"


@pytest.fixture
def inbox(monkeypatch: pytest.MonkeyPatch) -> Iterator[Inbox]:
    handler = Inbox()
    port = free_port()
    controller = Controller(handler, hostname="127.0.0.1", port=port)
    controller.start()
    connection = {
        "conn_type": "smtp",
        "host": "127.0.0.1",
        "port": port,
        "extra": {"disable_tls": True, "disable_ssl": True, "from_email": "airflow@example.com"},
    }
    monkeypatch.setenv("AIRFLOW_CONN_SMTP_DEFAULT", json.dumps(connection))
    monkeypatch.setenv("ALERT_EMAIL_TO", "finops@example.com, oncall@example.com")
    yield handler
    controller.stop()


def text_of(message: EmailMessage) -> str:
    [part] = [part for part in message.walk() if part.get_content_type() == "text/html"]
    return str(part.get_content())


@pytest.fixture
def stale_archive(tmp_path: Any) -> dict[str, str]:
    """A source whose only month was delivered three days ago."""
    bill = Bill(lines=20, files=1)
    write_month(bill, JANUARY, tmp_path / "archive")
    then = time.time() - 72 * 3600
    for path in (tmp_path / "archive").rglob("*-Manifest.json"):
        os.utime(path, (then, then))
    uri = f"file://{tmp_path}/archive/{bill.prefix}/{bill.report}/"
    return {"name": "archive", "format": "aws_cur", "uri": uri}


def test_one_message_tells_all_that_failed_and_what_is_stale(
    run_dag, configure, bucket_on_s3, slack, inbox, stale_archive, monkeypatch
):
    monkeypatch.setenv("AIRFLOW__API__BASE_URL", "https://airflow.example.com")
    configure(
        ["cup"], more=[stale_archive, {"name": "gone", "format": "aws_cur", "uri": "s3://no-such-bucket-here/x/"}]
    )
    bucket_on_s3.deliver("cup", JANUARY)
    bucket_on_s3.deliver("cup", FEBRUARY)
    # A missing file is tried again three times: four failures, one message.
    bucket_on_s3.remove("cup", FEBRUARY, "-00002.snappy.parquet")
    run = run_dag()

    assert run.state == "failed"
    assert run.tries["load_raw_0"] == 4
    [text] = slack.texts
    subject, gone, month, stale, link = text.splitlines()
    assert subject == "*Cloud costs: 2 problem(s), 1 stale source(s)*"
    assert gone.startswith("• gone: ")
    assert "the bucket does not exist" in gone
    assert month.startswith("• cup 2025-02: load_raw failed: manifest s3://")
    assert stale.startswith("• archive is stale: its newest delivery, of 2025-01, ")
    for line in (gone, month, stale):
        assert f"[cloud_costs.airflow.tasks] {line.removeprefix('• ')}" in run.log
    # As dag.test() quotes it: the colons of the time stay.
    assert link.startswith("<https://airflow.example.com/dags/cloud_costs/runs/")
    assert "/tasks/report" in link

    [(recipients, message)] = inbox.received
    assert recipients == ["finops@example.com", "oncall@example.com"]
    assert message["From"] == "airflow@example.com"
    assert message["Subject"] == "Cloud costs: 2 problem(s), 1 stale source(s)"
    assert "<li>cup 2025-02: load_raw failed: manifest s3://" in text_of(message)
    assert "<li>archive is stale: its newest delivery, of 2025-01, " in text_of(message)
    assert TOKEN not in run.log


def test_run_without_problems_sends_nothing(run_dag, bucket_on_s3, slack, inbox):
    bucket_on_s3.deliver("cup")
    assert run_dag(sources=["cup"]).state == "success"
    assert (slack.texts, inbox.received) == ([], [])


def test_reason_of_a_failed_plan_is_told(run_dag, slack, tmp_path):
    (tmp_path / "sources.yaml").write_text("sources: [{name: cup, format: aws_curr, uri: 's3://bucket/'}]")
    run = run_dag()
    assert run.state == "failed"
    [text] = slack.texts
    assert "• list_manifests failed: " in text
    assert "unknown format 'aws_curr'; allowed: aws_cur" in text


def test_text_from_a_bucket_is_neither_template_nor_markup(run_dag, bucket_on_s3, s3, slack, inbox):
    name = "{{ 7*7 }}<!channel><b>&"
    s3.client().put_object(Bucket=bucket_on_s3.name, Key=f"cup/CUP-Cost-Usage-Report/{name}/x", Body=b"1")
    assert run_dag(sources=["cup"]).state == "failed"
    [text] = slack.texts
    assert "{{ 7*7 }}&lt;!channel&gt;&lt;b&gt;&amp;/" in text
    [(_, message)] = inbox.received
    assert "{{ 7*7 }}&lt;!channel&gt;&lt;b&gt;&amp;/" in text_of(message)


def test_failing_notifier_hides_nothing_and_hinders_no_other(run_dag, bucket_on_s3, s3, slack, inbox):
    slack.status = 500
    bucket_on_s3.deliver("cup")
    s3.client().put_object(Bucket=bucket_on_s3.name, Key=MANIFEST, Body=b"{}")
    run = run_dag(sources=["cup"])
    assert run.state == "failed"
    assert "PermanentError: 1 problem(s): cup 2025-01: load_raw failed: " in run.log
    assert "no alert could be sent to Slack (connection 'costs_slack'): " in run.log
    assert TOKEN not in run.log
    assert len(inbox.received) == 1


def test_neither_a_stale_source_nor_a_failing_notifier_fails_a_run(
    run_dag, configure, slack, stale_archive, monkeypatch
):
    monkeypatch.setenv("ALERT_EMAIL_TO", "finops@example.com")
    monkeypatch.setenv("ALERT_SMTP_CONN_ID", "mail")
    monkeypatch.setenv("AIRFLOW_CONN_MAIL", json.dumps({"conn_type": "smtp", "host": "127.0.0.1", "port": 1}))
    configure([], more=[stale_archive])
    run = run_dag()
    assert run.state == "success"
    [text] = slack.texts
    assert text.startswith("*Cloud costs: 1 stale source(s)*\n• archive is stale: ")
    assert "no alert could be sent to finops@example.com (connection 'mail'): [Errno 111] Connection refused" in run.log


def test_anomalies_and_budgets_are_told_once_and_hostile_names_are_data(
    run_dag, database, slack, inbox, tmp_path, bucket
):
    bill = InsightsBill(bucket, database, names={"AmazonS3": "{{ 7*7 }}<!channel><b>&"})
    bill.plant(DATA, "AmazonS3", date(2025, 4, 8), date(2025, 4, 12), 200)
    for month in (date(2025, 3, 1), date(2025, 4, 1)):
        bill.load(month, until=date(2025, 4, 13))
    budget = {"name": "web", "amount": 100, "currency": "USD", "filters": {"service": bill.names["AmazonS3"]}}
    budget |= {"thresholds": {"actual": [100], "forecast": []}, "tell": {"email": "web@example.com"}}
    (tmp_path / "budgets.yaml").write_text(json.dumps({"budgets": [budget]}))
    run = run_dag(dag_id="cloud_costs_insights")
    assert run.state == "success"
    assert run.tasks == dict.fromkeys(("detect_anomalies", "forecast", "check_budgets", "tell"), "success")
    [text] = slack.texts
    subject, anomaly, threshold, _ = text.splitlines()
    assert subject == "*Cloud costs: 1 anomaly(ies), 1 budget threshold(s)*"
    assert f"crafted, account {DATA}, {{{{ 7*7 }}}}&lt;!channel&gt;&lt;b&gt;&amp;: " in anomaly
    assert threshold.startswith("• budget web, 2025-04: 100 % of 100.00 USD is reached: ")
    mails = {tuple(recipients): message for recipients, message in inbox.received}
    assert set(mails) == {("finops@example.com", "oncall@example.com"), ("web@example.com",)}
    assert "{{ 7*7 }}&lt;!channel&gt;&lt;b&gt;&amp;: " in text_of(mails["finops@example.com", "oncall@example.com"])
    assert "budget web, 2025-04" in text_of(mails["web@example.com",])
    assert len({message["Message-ID"] for message in mails.values()}) == 2
    # Run again, it tells nothing again.
    assert run_dag(dag_id="cloud_costs_insights").state == "success"
    assert (len(slack.texts), len(inbox.received)) == (1, 2)


def test_report_is_sent_once_with_its_pictures_and_a_second_one_is_asked_for(
    run_dag, database, slack, inbox, bucket, monkeypatch
):
    monkeypatch.setenv("AIRFLOW__API__BASE_URL", "https://airflow.example.com")
    monkeypatch.setenv("REPORT_WEEKLY_TO", "cfo@example.com")
    bill = InsightsBill(bucket, database, names={"AmazonS3": "{{ 7*7 }}<!channel><b>&"})
    for month in (date(2025, 3, 1), date(2025, 4, 1)):
        bill.load(month, until=date(2025, 4, 13))
    run = run_dag(dag_id="cloud_costs_reports", kind="weekly", period="2025-W15")
    assert run.state == "success"
    assert run.labels["report.make_report_0"] == "weekly 2025-W15"
    assert {name: state for name, state in run.tasks.items() if name.startswith("report.")} == {
        "report.make_report_0": "success",
        "report.send_report_0": "success",
    }
    [(recipients, message)] = inbox.received
    assert recipients == ["cfo@example.com"]
    assert message["Subject"].startswith("Cloud costs, week to 12 Apr 2025: ")
    types = [part.get_content_type() for part in message.walk()]
    assert types == [
        "multipart/mixed",
        "multipart/alternative",
        "text/plain",
        "multipart/related",
        "text/html",
        "image/png",
        "application/pdf",
    ]
    parts = {part.get_content_type(): part for part in message.walk()}
    assert parts["image/png"]["Content-ID"] == "<picture-1@report>"
    assert 'src="cid:picture-1@report"' in text_of(message)
    assert "{{ 7*7 }}&lt;!channel&gt;&lt;b&gt;&amp;" in text_of(message)
    assert parts["application/pdf"].get_filename() == "cloud-costs-weekly-2025-W15.pdf"
    [text] = slack.texts
    address = "https://airflow.example.com/cloud-costs/reports?kind=weekly&period=2025-W15"
    assert text.endswith(f"<{address}|The whole report>")
    assert "Week to Sat 12 Apr 2025: " in text
    # Again, or into the archive alone, it is not sent. It is sent again where that is asked for.
    assert run_dag(dag_id="cloud_costs_reports", kind="weekly", period="2025-W15").state == "success"
    archived = run_dag(dag_id="cloud_costs_reports", kind="weekly", period="2025-W15", archive_only=True)
    assert archived.state == "success"
    assert (len(slack.texts), len(inbox.received)) == (1, 1)
    assert run_dag(dag_id="cloud_costs_reports", kind="weekly", period="2025-W15", resend=True).state == "success"
    assert (len(slack.texts), len(inbox.received)) == (2, 2)
    assert inbox.received[0][1]["Message-ID"] != inbox.received[1][1]["Message-ID"]
    # Without a kind, a run makes what is due, each once.
    due = run_dag(dag_id="cloud_costs_reports")
    assert due.state == "success"
    assert sum(name.startswith("report.send_report_") for name in due.tasks) == 3
    assert len(inbox.received) == 5
    assert run_dag(dag_id="cloud_costs_reports", kind="weekly", period="2025-W60").state == "failed"
    # A channel that is down fails the task, and hinders no other one.
    slack.status = 500
    channels = [Channel(slack="costs_slack"), Channel(email="cfo@example.com")]
    report = {"kind": "daily", "period": "2025-04-02"}
    archive.make_report(database, periods.daily(date(2025, 4, 2)), archive.Settings(), channels)
    for _ in range(TRIES + 1):
        with pytest.raises(NotSent, match="daily 2025-04-02: no alert could be sent to Slack"):
            reports.send_reports(report, "https://airflow.example.com")
    assert len(inbox.received) == 6
    slack.status = 200
    assert reports.send_reports(report, "https://airflow.example.com") == 1
    assert len(inbox.received) == 6
