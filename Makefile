# Each target sets up what it needs: a virtual environment in .venv, made with the first Python from 3.11 on.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check

.PHONY: demo test check interpreters slow seeds lossy mutants mutation bench clean

demo: $(VENV)/run ## The job that ships with penguiray: near-duplicate functions in Python's own library
	$(BIN)/penguiray demo

test: $(VENV)/test ## All tests on the Python of the virtual environment; those that need Ray beside the others
	$(BIN)/python -m pytest -q -n 2 --dist loadgroup

check: $(VENV)/lint ## Style and types
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/basedpyright

interpreters: ## Unit, property and local conformance tests on every Python from 3.11 on that is found
	$(PYTHON) .ci/interpreters.py

slow: $(VENV)/test ## All conformance tests on Ray, several programs, payloads of many MiB; a quarter of an hour
	CONFORMANCE_ENGINE=ray $(BIN)/python -m pytest -q tests/conformance tests/slow

seeds: $(VENV)/test ## Thousands of random graphs on the local engine, and fifty on Ray; some ten minutes
	SEEDS=2000 SEEDS_ON_RAY=50 $(BIN)/python -m pytest -q tests/property/test_random_graphs.py

lossy: $(VENV)/test ## Tens of thousands of random graphs whose replicas die, in virtual time; two hours
	LOSSY_SEEDS=50000 $(BIN)/python -m pytest -q tests/property/test_lossy_graphs.py

mutants: $(VENV)/test ## Plant bugs one at a time; fails if the tests that need no Ray miss one
	$(BIN)/python tests/mutants/run.py $(PARTS)

mutation: $(VENV)/test ## Plant every small bug there is in a few files; fails if their unit tests miss too many
	$(BIN)/python tests/mutants/sweep.py $(FILES)

bench: $(VENV)/bench ## The workloads beside their peers; takes an hour or more
	$(BIN)/python -m benchmarks.run

clean: ## Remove what the other targets made
	rm -rf $(VENV) .venv-* .mypy_cache .ruff_cache .pytest_cache .hypothesis build dist

$(VENV)/bin/python:
	$(PYTHON) -c 'import sys; sys.exit("penguiray needs Python 3.11 or newer; run make PYTHON=...") if sys.version_info < (3, 11) else None'
	$(PYTHON) -m venv $(VENV)

$(VENV)/run: pyproject.toml | $(VENV)/bin/python
	$(PIP) --editable .
	@touch $@

$(VENV)/test: pyproject.toml | $(VENV)/bin/python
	$(PIP) --editable '.[test]'
	@touch $@ $(VENV)/run

$(VENV)/lint: pyproject.toml | $(VENV)/bin/python
	$(PIP) --editable '.[lint]'
	@touch $@ $(VENV)/test $(VENV)/run

$(VENV)/bench: pyproject.toml | $(VENV)/bin/python
	$(PIP) --editable '.[bench]'
	@touch $@ $(VENV)/run
