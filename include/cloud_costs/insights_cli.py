"""The commands of insights: find events, forecast and check budgets; list events; say what people decided about one.

They are apart from `cli`, which adds them, because they have nothing to do with loading.
"""

from datetime import datetime
from getpass import getuser
from typing import Annotated

import typer

from cloud_costs import environment
from cloud_costs.config.anomalies import load_limits
from cloud_costs.config.budgets import load_budgets
from cloud_costs.database.schema import apply_schema
from cloud_costs.insights.actions import act, list_events
from cloud_costs.insights.telling import describe
from cloud_costs.terminal import console, errors

anomalies = typer.Typer(help="List anomalies, and say what you decided about one.", no_args_is_help=True)

Event = Annotated[int, typer.Argument(help="The number of the anomaly, as the list and the messages have it.")]
By = Annotated[str | None, typer.Option("--by", help="Who decides. Default: the user of this machine.")]
Note = Annotated[str | None, typer.Option("--note", help="Why.")]


def insights() -> None:
    """Find anomalies, forecast months and check budgets, as the DAG cloud_costs_insights does. Nothing is sent."""
    # numpy takes longer to import than most commands to run.
    from cloud_costs.insights.anomalies import detect_anomalies
    from cloud_costs.insights.budgets import check_budgets
    from cloud_costs.insights.forecasts import forecast

    with errors():
        database, limits, budgets = environment.database(), load_limits(), load_budgets()
        apply_schema(database)
        counts = detect_anomalies(database, limits)
        console.print("anomalies: " + ", ".join(f"{count} {name}" for name, count in counts.items()))
        console.print(f"forecasts: {forecast(database)}")
        for warning in check_budgets(database, budgets):
            console.print(f"warning: {warning}")


@anomalies.command("list")
def show(
    everything: Annotated[
        bool, typer.Option("--all", help="Show those too that are decided, taken back or of the past.")
    ] = False,
) -> None:
    """Show the anomalies that are open or acknowledged, the newest first."""
    with errors():
        events = list_events(environment.database(), everything=everything)
    for event in events:
        console.print(f"{event.status}: {describe(event)}")
    console.print(f"{len(events)} anomaly(ies)")


@anomalies.command()
def acknowledge(event: Event, by: By = None, note: Note = None) -> None:
    """Say that somebody looks after it. It stays in the list."""
    with errors():
        act(environment.database(), event, "acknowledge", by or getuser(), note)
    console.print(f"#{event} is acknowledged")


@anomalies.command()
def mute(
    event: Event,
    until: Annotated[datetime, typer.Option("--until", formats=["%Y-%m-%d"], help="The last day, YYYY-MM-DD.")],
    by: By = None,
    note: Note = None,
) -> None:
    """Tell no anomaly of the same source, account and service that begins until a day."""
    with errors():
        act(environment.database(), event, "mute", by or getuser(), note, until.date())
    console.print(f"#{event} is muted until {until:%Y-%m-%d}")


@anomalies.command()
def expect(event: Event, by: By = None, note: Note = None) -> None:
    """Say that it is as it should be. It leaves the list."""
    with errors():
        act(environment.database(), event, "expect", by or getuser(), note)
    console.print(f"#{event} is expected")
