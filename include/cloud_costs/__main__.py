"""`python -m cloud_costs`: the library from a shell."""

from cloud_costs.cli import app

app(prog_name="python -m cloud_costs")
