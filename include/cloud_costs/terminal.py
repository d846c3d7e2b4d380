"""What every command writes to: the console, and one line on standard error for each error."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import typer
from rich.console import Console

from cloud_costs.errors import CloudCostsError

console = Console(soft_wrap=True, highlight=False, markup=False, emoji=False)


@contextmanager
def errors() -> Iterator[None]:
    """End with exit status 1 and one line that says what is wrong."""
    try:
        yield
    except CloudCostsError as error:
        end([error])


def end(failures: Iterable[CloudCostsError]) -> None:
    """End with exit status 1 and a line for each failure, if there are any."""
    lines = [f"error: {' '.join(str(error).split())}" for error in failures]
    for line in lines:
        typer.echo(line, err=True)
    if lines:
        raise typer.Exit(1)
