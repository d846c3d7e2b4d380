"""`python -m cloud_costs.demo`: the command behind `make demo`, `make up`, `make down` and `make psql`."""

from cloud_costs.demo.commands import app

app(prog_name="make")
