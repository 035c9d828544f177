# The two commands: `make demo` and `make test`. Both set up what they need; nothing has to run beforehand.
PYTHON ?= python3.11
VENV ?= .venv
BIN := $(VENV)/bin
CASES ?= ../shared/data/cases
CACHE ?= artefacts/bench

.PHONY: help setup setup-dev system demo test check bench bench-ingest bench-api calibration weights lab clean

help: ## what there is
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | sort

$(BIN)/python:
	@command -v $(PYTHON) >/dev/null || { echo "$(PYTHON) is not on PATH: install Python 3.11 or newer, or say make PYTHON=..."; exit 2; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check 'pip>=25.1'

PAGE := hatch_build.py aiops/web/build.py aiops/web/package.json aiops/web/package-lock.json $(shell find aiops/web/src aiops/web/templates -type f)

$(VENV)/.base: pyproject.toml $(PAGE) | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .
	@touch $@

$(VENV)/.dev: $(VENV)/.base
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[train,mcp]' --group dev
	@touch $@

setup: $(VENV)/.base ## the base environment: serves everything, without torch

setup-dev: $(VENV)/.dev ## the base plus what trains, tests and checks (torch brings several GB)

system: setup ## the real servers that the tests start: Debian's packages, and Neo4j's jars through Maven
	sh servers/debian.sh
	$(BIN)/python -m servers.neo4j_server --fetch
	$(BIN)/python -m servers.kafka_server --fetch

demo: setup ## replay a recorded outage through the real pipeline and print the ranked causes
	$(BIN)/aiops demo

test: setup-dev system ## everything, on a real Neo4j, Kafka, Prometheus, Alertmanager, rsyslog and browser
	CI=$${CI:-true} $(BIN)/python -m pytest --cov --cov-branch --cov-report=term:skip-covered --cov-fail-under=90

check: setup-dev ## ruff, mypy, import-linter, deptry
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/deptry .

bench: setup-dev ## accuracy, throughput, latency, memory; writes benchmarks/results/*.json and the README's tables
	$(BIN)/python -m benchmarks.accuracy --cases $(CASES) --cache $(CACHE) -o benchmarks/results/accuracy.json
	$(BIN)/python -m benchmarks.protocols --cases $(CASES) --cache $(CACHE) -o benchmarks/results/protocols.json
	$(BIN)/python -m benchmarks.adaptation --cases $(CASES) --cache $(CACHE) -o benchmarks/results/adaptation.json
	$(BIN)/python -m benchmarks.robustness --cases $(CASES) --cache $(CACHE) -o benchmarks/results/robustness.json
	$(BIN)/python -m benchmarks.recordings -o benchmarks/results/recordings.json
	$(BIN)/python -m benchmarks.simulator --cases $(CASES) -o benchmarks/results/simulator.json
	$(BIN)/python -m benchmarks.throughput -o benchmarks/results/throughput.json
	$(BIN)/python -m benchmarks.latency -o benchmarks/results/latency.json
	$(BIN)/python -m benchmarks.tables

bench-ingest: setup-dev system ## pace, losses and memory of the stream beside rsyslogd, on real Kafka and Neo4j (an hour)
	$(BIN)/python -m benchmarks.rsyslog -o benchmarks/results/rsyslog.json
	$(BIN)/python -m benchmarks.throughput -o benchmarks/results/throughput.json
	$(BIN)/python -m benchmarks.metrics_memory -o benchmarks/results/metrics_memory.json
	$(BIN)/python -m benchmarks.journal -o benchmarks/results/journal.json
	$(BIN)/python -m benchmarks.udp -o benchmarks/results/udp.json
	$(BIN)/python -m benchmarks.neo4j_sink -o benchmarks/results/neo4j_sink.json
	$(BIN)/python -m benchmarks.socket_to_graph -o benchmarks/results/socket_to_graph.json
	$(BIN)/python -m benchmarks.scaleout -o benchmarks/results/scaleout.json
	$(BIN)/python -m benchmarks.detection -o benchmarks/results/detection.json
	$(BIN)/python -m benchmarks.faults -o benchmarks/results/faults.json
	$(BIN)/python -m benchmarks.tables

bench-api: setup-dev system ## the API on large sites: analyses, lists, alerts, lookups, and a load with kills (an hour)
	$(BIN)/python -m benchmarks.analysis_load -o benchmarks/results/analysis_load.json
	$(BIN)/python -m benchmarks.incidents_list -o benchmarks/results/incidents_list.json
	$(BIN)/python -m benchmarks.alerts -o benchmarks/results/alerts.json
	$(BIN)/python -m benchmarks.lookups -o benchmarks/results/lookups.json
	$(BIN)/python -m benchmarks.load --only sqlite -o benchmarks/results/load_sqlite.json
	$(BIN)/python -m benchmarks.load --only neo4j -o benchmarks/results/load_neo4j.json
	$(BIN)/python -m benchmarks.tables

calibration: setup-dev ## make the map of confidence anew from labelled cases, and measure it
	$(BIN)/python -m benchmarks.calibration --cases $(CASES) --cache $(CACHE) -o benchmarks/results/calibration.json

weights: setup-dev ## train the network that ships; TRAIN names sets whose licence permits it: TRAIN='--cases MIT=DIR ...' (docs/network.md)
	$(BIN)/aiops train --out graph_models/weights --recordings aiops/scenarios --recordings scenarios/recordings $(TRAIN) --gate-cases $(CASES)

lab: setup-dev ## record the outages anew (root, about 40 minutes; docs/lab.md)
	$(BIN)/python -m scenarios.lab record --out scenarios/recordings

clean: ## remove environment and caches
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache dist artefacts
