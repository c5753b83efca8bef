# What one does with this repository. `make help` lists the targets.
#
# PYTHON: the interpreter that makes the environment, 3.11 or newer.
# VENV: where the environment goes; point it at an existing one to use that.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.roofmark-ready
# JOBS: how many tests run side by side, of those that measure nothing and start little.
JOBS ?= 2
QUIET := tests/unit tests/project tests/statistics tests/studies
# Chosen: one torch for everybody, installed first, so that no resolver picks another for its sake.
TORCH ?= torch==2.13.0

.DEFAULT_GOAL := help
.PHONY: help setup demo test corpus lint fix gpu docs site snippets clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: $(STAMP) ## Make the environment in .venv (once)

$(STAMP): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "roofmark needs Python 3.11 or newer; try: make setup PYTHON=python3.12" >&2; exit 1; }
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet "$(TORCH)"
	$(BIN)/python -m pip install --quiet --editable ".[dev,triton]"
	@touch $@

demo: setup ## Measure a small study on this machine, and report it
	$(BIN)/roofmark demo out/demo --force

test: setup ## Run every test that needs no GPU; skipped tests are listed
	failed=0; \
	$(BIN)/python -m pytest -m "not gpu" -rs -n $(JOBS) --dist loadfile $(QUIET) || failed=1; \
	$(BIN)/python -m pytest -m "not gpu" -rs $(foreach each,$(QUIET),--ignore=$(each)) || failed=1; \
	exit $$failed

corpus: setup ## Try every cheat and every honest candidate on this CPU
	$(BIN)/python benchmarks/integrity.py --processes 2

lint: setup ## Check style, format, types and the direction of imports
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright --pythonpath $(BIN)/python
	$(BIN)/lint-imports

fix: setup ## Mend what can be mended without thinking
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

gpu: setup ## Run the tests that need a GPU
	$(BIN)/python -m pytest -m gpu -rs

site: setup ## Build the docs site in site/; a link that leads nowhere fails
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict --quiet

snippets: setup ## Run every block of the pages that this machine can run, slow ones too
	$(BIN)/python tools/snippets.py --slow

docs: setup ## Write docs/reference/ again from the code
	$(BIN)/python -m roofmark.cli.reference docs/reference

clean: ## Remove what was made here, apart from the environment and measurements
	rm -rf build dist site .pytest_cache .ruff_cache .hypothesis .import_linter_cache
	find src tests -name __pycache__ -type d -prune -exec rm -rf {} +
