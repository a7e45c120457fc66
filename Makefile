# The two commands a newcomer needs: `make demo` and `make test`.

PYTHON ?= python3
VENV   ?= .venv
JOBS   ?= 2
TORCH  := torch==2.13.0

BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-input --prefer-binary

# One thread a process: the tests use the cores as processes, and numbers repeat.
export OMP_NUM_THREADS ?= 1

.DEFAULT_GOAL := help
.PHONY: help demo test test-slow data lint figures docs clean

help:  ## show this list
	@awk -F ':.*##' '/^[a-z-]+:.*##/ { printf "make %-10s%s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: $(VENV)/.installed  ## generate 96 molecules with the shipped model into demo/, with a report to look at
	$(BIN)/python examples/demo.py

test: $(VENV)/.installed-test  ## run the tests but the slow ones
	$(BIN)/python -m pytest -q -n $(JOBS) --dist worksteal -m "not slow" $(ARGS)

test-slow: $(VENV)/.installed-test  ## run the slow tests
	$(BIN)/python -m pytest -q -n $(JOBS) --dist worksteal -m slow $(ARGS)

data: $(VENV)/.installed-qm9  ## build data/qm9.parquet from the qm9pack package
	$(BIN)/molscore data qm9 -o data/qm9.parquet

lint: $(VENV)/.installed-lint  ## check style, who imports whom, and what is declared
	$(BIN)/ruff check .
	$(BIN)/lint-imports --no-logo
	$(BIN)/deptry .

figures: $(VENV)/.installed  ## write the tables of the pages from benchmarks/results, the worked example and the picture from the model
	$(BIN)/python -m benchmarks.pages
	$(BIN)/python -m benchmarks.isomers
	$(BIN)/python -m benchmarks.gallery

docs: $(VENV)/.installed-docs  ## build the pages and the API reference as a site, into site/
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet
	@echo "site/index.html"

clean:  ## remove the virtual environment and caches
	rm -rf $(VENV) .pytest_cache .ruff_cache .hypothesis build dist site

# Stamps: each install step runs once, and again when what it depends on changes.
$(VENV)/.created:
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))' \
	  || { echo "molscore needs Python 3.11, 3.12 or 3.13: make PYTHON=python3.11 ..." >&2; exit 1; }
	@echo "== creating $(VENV) with $$($(PYTHON) --version)"
	@$(PYTHON) -m venv $(VENV) \
	  || { echo "the venv module is missing: on Debian and Ubuntu, apt-get install python3-venv" >&2; exit 1; }
	@touch $@

# First and alone: resolved together with the rest, another build of torch could be chosen.
$(VENV)/.torch: $(VENV)/.created
	@echo "== installing $(TORCH)"
	@$(PIP) "$(TORCH)"
	@touch $@

$(VENV)/.installed: $(VENV)/.torch pyproject.toml
	@echo "== installing molscore"
	@$(PIP) -e .
	@touch $@

$(VENV)/.installed-test: $(VENV)/.torch pyproject.toml
	@echo "== installing molscore[test]"
	@$(PIP) -e ".[test]"
	@touch $@ $(VENV)/.installed

$(VENV)/.installed-qm9: $(VENV)/.torch pyproject.toml
	@echo "== installing molscore[qm9]"
	@$(PIP) -e ".[qm9]"
	@touch $@ $(VENV)/.installed

# These read the sources without importing them, so nothing else is installed for them.
$(VENV)/.installed-lint: $(VENV)/.created
	@$(PIP) "deptry>=0.23" "import-linter>=2.5" "ruff>=0.9"
	@touch $@

$(VENV)/.installed-docs: $(VENV)/.created
	@$(PIP) "mkdocs-material>=9.6" "mkdocstrings[python]>=0.30"
	@touch $@
