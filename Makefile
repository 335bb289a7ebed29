# Every target sets up what it needs in .venv, once: a second call installs nothing.
# Another interpreter: make PYTHON=python3.12 test

PYTHON ?= python3
VENV := .venv
PEERS := .venv-peers
BIN := $(VENV)/bin

.PHONY: help demo test fuzz lint format types docs primitives bench bench-peers clean
.DELETE_ON_ERROR:

help:
	@echo "make demo         run the getting-started tutorial"
	@echo "make test         run the tests"
	@echo "make fuzz         compare thousands of random programs with automatic differentiation"
	@echo "make lint         check style (make format repairs it)"
	@echo "make types        check types"
	@echo "make docs         build the documentation into site/"
	@echo "make primitives   write docs/primitives.md from the registry of rules"
	@echo "make bench        measure, and write benchmarks/RESULTS.md"
	@echo "make bench-peers  create the environment of the library that bench compares with"
	@echo "make clean        remove environments, builds and caches"

demo: $(VENV)/.installed-base
	$(BIN)/python examples/getting_started.py

test: $(VENV)/.installed-test
	$(BIN)/python -m pytest -n auto --dist loadgroup

# Thousands of random programs against automatic differentiation; FUZZ="--programs 500" for fewer.
FUZZ ?= --programs 20000
fuzz: $(VENV)/.installed-test
	$(BIN)/python tests/fuzz/run.py $(FUZZ)

lint: $(VENV)/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

format: $(VENV)/.installed-dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

types: $(VENV)/.installed-dev
	$(BIN)/pyright --pythonpath $(BIN)/python

docs: $(VENV)/.installed-dev
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

primitives: $(VENV)/.installed-dev
	$(BIN)/python docs/generate_primitives.py

bench: $(VENV)/.installed-base $(PEERS)/.installed
	$(BIN)/python -m benchmarks --peer $(PEERS)/bin/python

bench-peers: $(PEERS)/.installed

clean:
	rm -rf $(VENV) $(PEERS) build dist site *.egg-info .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# Stamp files stand for finished installations.

$(VENV)/.created:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "asdex needs Python 3.11 or newer, got %s; choose one with: make PYTHON=python3.12" % sys.version.split()[0])'
	$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/.installed-base: $(VENV)/.created pyproject.toml
	$(BIN)/python -m pip install --quiet --editable .
	@touch $@

$(VENV)/.installed-test: $(VENV)/.created pyproject.toml
	$(BIN)/python -m pip install --quiet --editable ".[test]"
	@touch $(VENV)/.installed-base $@

$(VENV)/.installed-dev: $(VENV)/.created pyproject.toml
	$(BIN)/python -m pip install --quiet --editable ".[dev]"
	@touch $(VENV)/.installed-base $(VENV)/.installed-test $@

# The peer that the benchmarks compare with: the same import name, hence an environment of its own.
$(PEERS)/.installed:
	$(PYTHON) -m venv $(PEERS)
	$(PEERS)/bin/python -m pip install --quiet asdex==0.5.1 jax==0.10.2
	@touch $@
