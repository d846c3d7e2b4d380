"""What an alert says, and where it goes: nowhere, unless somebody set it up."""

from datetime import UTC, date, datetime

import pytest

from cloud_costs.airflow import alerts, reports
from cloud_costs.errors import ConfigError


def test_nothing_is_sent_where_nothing_is_set() -> None:
    assert alerts.channels({}) == []
    assert alerts.channels({"ALERT_SLACK_CONN_ID": "", "ALERT_EMAIL_TO": "", "ALERT_SMTP_CONN_ID": "mail"}) == []


def test_channels_are_named_for_people() -> None:
    found = alerts.channels({"ALERT_SLACK_CONN_ID": "costs_slack", "ALERT_EMAIL_TO": "a@b.example"})
    assert [channel.name for channel in found] == [
        "Slack (connection 'costs_slack')",
        "a@b.example (connection 'smtp_default')",
    ]


def test_long_message_is_cut_and_says_so() -> None:
    message = alerts.compose("Cloud costs", [f"{number} " + "x" * 9000 for number in range(30)], "https://x")
    assert len(message.lines) == alerts.MAX_LINES + 1
    assert message.lines[-1] == "and 6 more"
    assert {len(line) for line in message.lines[:-1]} == {alerts.MAX_CHARACTERS}
    # Slack shows 40,000 characters of a message.
    assert len(message.as_slack()) < 40_000


def test_markup_in_what_is_told_is_shown_as_it_is() -> None:
    message = alerts.compose("Cloud costs", ["<!channel> & </b>"], 'https://x/"y"?a=1&b=2')
    assert "• &lt;!channel&gt; &amp; &lt;/b&gt;\n" in message.as_slack()
    assert "<li>&lt;!channel&gt; &amp; &lt;/b&gt;</li>" in message.as_html()
    assert '<a href="https://x/&quot;y&quot;?a=1&amp;b=2">' in message.as_html()


def test_channel_that_fails_hinders_no_other(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    sent: list[alerts.Message] = []

    class Second:
        def notify(self, context: object) -> None:
            sent.append(message)

    def refuse(message: alerts.Message) -> alerts.Notifier:
        raise OSError("no\nroute")

    both = [alerts.Channel("first", refuse), alerts.Channel("second", lambda message: Second())]
    monkeypatch.setattr(alerts, "channels", lambda: both)
    message = alerts.compose("Cloud costs", ["broken"], "https://x")
    assert alerts.send(message) == ["no alert could be sent to first: no route"]
    assert sent == [message]
    assert "no alert could be sent to first: no route" in caplog.messages


def test_schedules_of_reports_come_from_the_environment_and_may_be_off() -> None:
    assert reports.schedules({}) == {"daily": "0 6 * * *", "weekly": "0 8 * * 1", "monthly": "0 7 1 * *"}
    environ = {"REPORT_DAILY_SCHEDULE": "off", "REPORT_WEEKLY_SCHEDULE": "30 9 * * 5", "REPORT_MONTHLY_SCHEDULE": ""}
    assert reports.schedules(environ) == {"weekly": "30 9 * * 5", "monthly": "0 7 1 * *"}


def test_period_needs_a_kind() -> None:
    with pytest.raises(ConfigError, match="period: it needs a kind: daily, weekly or monthly"):
        reports.list_reports({"period": "2025-03"}, datetime(2025, 6, 2, tzinfo=UTC))


def test_report_is_due_from_its_time_on() -> None:
    monday = datetime(2025, 6, 2, tzinfo=UTC)
    # Before 08:00 on Monday, the newest report of the week is that of a week ago; at 08:00 it is the new one.
    assert reports.fired(monday.replace(hour=7, minute=59), {})["weekly"] == date(2025, 5, 26)
    assert reports.fired(monday.replace(hour=8), {}) == {
        "daily": date(2025, 6, 2),
        "weekly": date(2025, 6, 2),
        "monthly": date(2025, 6, 1),
    }
