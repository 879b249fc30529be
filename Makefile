# On a bare machine with Python 3.11: `make run` shows Umbel at work, `make test` proves it.
# Everything is installed once into $(VENV), from a lock file with hashes; nothing else is touched.

VENV ?= .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
SYSTEM_PYTHON ?= $(shell command -v python3.11 || command -v python3)
ARGS ?=

.DEFAULT_GOAL := help
.PHONY: help setup run test coverage check format references bench soak lock clean

help: ## show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: $(INSTALLED) ## install everything into $(VENV), once

run: $(INSTALLED) ## run the demo: a real job over real data, with a crash in the middle (ARGS="--flights 20000")
	$(BIN)/umbel demo $(ARGS)

test: $(INSTALLED) ## run all tests (ARGS="tests/unit -x")
	$(BIN)/python -m pytest $(ARGS)

coverage: $(INSTALLED) ## run all tests and report the lines that none of them reaches
	rm -f .coverage .coverage.*
	$(BIN)/coverage run -m pytest $(ARGS)
	$(BIN)/coverage combine --quiet
	$(BIN)/coverage report

check: $(INSTALLED) ## lint, format, types, layers, and whether the generated references are current
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache
	$(BIN)/python tools/references.py --check

format: $(INSTALLED) ## put the code into shape
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

references: $(INSTALLED) ## write the references that are generated from the code
	$(BIN)/python tools/references.py

bench: $(INSTALLED) ## measure Umbel beside its peers, in one run
	$(BIN)/python -m benchmarks $(ARGS)

soak: $(INSTALLED) ## run the tests that take minutes or hours
	$(BIN)/python -m pytest -m soak --timeout 0 $(ARGS)

lock: $(INSTALLED) ## resolve the dependencies again and write requirements.lock (ARGS="--upgrade")
	$(BIN)/python tools/lock.py $(ARGS)

clean: ## remove what was built, $(VENV) included
	rm -rf $(VENV) dist build .coverage .coverage.* .hypothesis .mypy_cache .pytest_cache .ruff_cache

$(INSTALLED): requirements.lock pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --use-pep517 --require-hashes --requirement requirements.lock
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

$(BIN)/python:
	@SYSTEM_PYTHON="$(SYSTEM_PYTHON)" sh tools/make_venv.sh "$(VENV)"
