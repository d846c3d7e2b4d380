"""`python -m cloud_costs.demo`: what `make demo`, `make up`, `make down` and `make psql` call."""

from cloud_costs.demo.commands import app

app(prog_name="make")
