# Everything is kept in .venv (the environments), .demo (the demo's bucket, database and Airflow home), .bench and
# .compat.
# Recipes name files relative to this folder, because its own path may hold spaces.

MAKEFLAGS += --no-print-directory
SHELL := /bin/sh
export PYTHONPATH := $(CURDIR)/include

PYTHON := .venv/bin/python
# Six processes, because tests of faults and of a whole Airflow mostly wait; each takes a test file at a time. Tests start
# hundreds of processes, and without bytecode each of them would compile the package again.
# In test-quick are no unit tests that try hundreds of examples or start a dozen processes.
QUICK := $(filter-out $(patsubst %,tests/unit/test_%.py,fuzz_manifests imports json_files),$(wildcard tests/unit/test_*.py)) \
    $(patsubst %,tests/integration/test_%.py,daily_lines plan reload views)
PYTEST := PYTHONDONTWRITEBYTECODE= $(PYTHON) -m pytest -n 6 --dist loadfile
COMPILE := .venv/bin/uv pip compile --quiet --universal --python-version 3.11 --no-emit-index-url

.DEFAULT_GOAL := help
.PHONY: help setup demo up down psql test test-quick test-wheel compat wheel mutate conformance bench bench-insights lint audit format dictionary dashboards constraints clean

help: ## Show this help
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' Makefile

setup: ## Make the environment in .venv
	@scripts/setup.sh

demo: setup ## Load a sample billing export with the DAG and show the costs
	@$(PYTHON) -m cloud_costs.demo

up: setup ## Start the Costs page and the Airflow UI on port 8080, over the demo's database
	@$(PYTHON) -m cloud_costs.demo up

down: setup ## Stop the Airflow UI and the demo's database
	@$(PYTHON) -m cloud_costs.demo down

psql: setup ## Open a shell on the demo's database
	@$(PYTHON) -m cloud_costs.demo psql

test: setup ## Run all tests, in 12 minutes on two cores; make test ARGS="-k manifest -x" runs some
	@$(PYTEST) $(ARGS)

test-quick: setup ## Run the unit tests and fast integration tests, in 40 seconds on two cores
	@$(PYTEST) $(QUICK) $(ARGS)

wheel: setup ## Build the wheel and the source distribution in dist
	@.venv/bin/uv build

test-wheel: setup ## Install the wheel into a clean environment, and load the demo's months with it
	@$(PYTHON) tests/compat.py --first

compat: setup ## Do that with older and newer versions of Airflow, Python and PostgreSQL; ARGS="--only 3.1" for some
	@$(PYTHON) tests/compat.py $(ARGS)

mutate: setup ## Break every mapping and check, and list what no test notices; ARGS="--mapping aws_cur" for one
	@$(PYTHON) tests/mutate.py $(ARGS)

conformance: setup ## Check the FOCUS 1.2 rules with focus-validator; needs Python 3.12
	@scripts/setup-conformance.sh
	@$(PYTHON) -m cloud_costs.demo.conformance

bench: setup ## Measure speed and memory; ARGS=--large adds a month of ten million lines
	@scripts/setup.sh .venv/bench requirements-bench.txt
	@.venv/bench/bin/python -m benchmarks $(ARGS)

bench-insights: setup ## Measure how right anomalies and forecasts are, and how fast
	@scripts/setup.sh .venv/bench requirements-bench.txt
	@.venv/bench/bin/python -m benchmarks.insights $(ARGS)

lint: setup ## Check style, types, imports, SQL, Dockerfile and compose file
	$(PYTHON) -m ruff check .
	$(PYTHON) -m ruff format --check .
	$(PYTHON) -m mypy include/cloud_costs dags benchmarks dashboards
	.venv/bin/lint-imports
	$(PYTHON) -m sqlfluff lint --disable-progress-bar include/sql
	.venv/bin/hadolint Dockerfile
	$(PYTHON) -m check_jsonschema --builtin-schema vendor.compose-spec docker-compose.yaml

audit: setup ## Ask advisory services about every pinned dependency
	@$(PYTHON) scripts/audit_dependencies.py

format: setup ## Rewrite Python and SQL in the project's style
	$(PYTHON) -m ruff check --fix .
	$(PYTHON) -m ruff format .
	$(PYTHON) -m sqlfluff fix --disable-progress-bar include/sql

dictionary: setup ## Write docs/data-dictionary.md again
	@$(PYTHON) -m cloud_costs.demo.dictionary

dashboards: setup ## Write the dashboards for Grafana again
	@$(PYTHON) -m dashboards

constraints: setup ## Pin again all that the requirements bring with them
	$(COMPILE) --annotation-style line --custom-compile-command "make constraints" \
	    requirements-bench.txt --output-file constraints.txt
	$(COMPILE) --annotation-style line --custom-compile-command "make constraints" --constraints constraints.txt \
	    requirements.txt requirements-azure.txt requirements-google.txt requirements-mcp.txt requirements-ask.txt \
	    docker/requirements.txt --output-file docker/constraints.txt

clean: ## Stop the demo and remove .venv, .demo, .bench, .compat, .mutate, dist and all caches
	-@if [ -d .demo ] && [ -x $(PYTHON) ]; then $(PYTHON) -m cloud_costs.demo down; fi
	-@if [ -d .bench/postgres ] && [ -x $(PYTHON) ]; then $(PYTHON) -m cloud_costs.demo.embedded_postgres stop .bench/postgres; fi
	rm -rf .venv .axe .azurite .demo .bench .compat .mutate dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
