# Every target sets up what it needs in .venv, once: a second call installs nothing.
# Another interpreter: make PYTHON=python3.12 test

PYTHON ?= python3
VENV := .venv
PEERS := .venv-peers
OLDEST := .venv-oldest
NEWEST := .venv-newest
BIN := $(VENV)/bin
EXAMPLES := $(basename $(notdir $(wildcard examples/*.py)))

.PHONY: help demo test test-quick test-jax-oldest test-jax-newest fuzz lint format types docs primitives bench
.PHONY: bench-peers clean $(EXAMPLES)
.DELETE_ON_ERROR:

help:
	@echo "make demo             run the getting-started tutorial"
	@echo "make NAME             run examples/NAME.py: $(EXAMPLES)"
	@echo "make test             run the tests"
	@echo "make test-quick       run every rule and every public function once, in under a minute"
	@echo "make test-jax-oldest  run them with the oldest packages that pyproject.toml allows"
	@echo "make test-jax-newest  run them with the newest jax"
	@echo "make fuzz             compare thousands of random programs with automatic differentiation"
	@echo "make lint             check style (make format repairs it)"
	@echo "make types            check types"
	@echo "make docs             build the documentation into site/"
	@echo "make primitives       write docs/primitives.md from the registry of rules"
	@echo "make bench            measure, and write benchmarks/RESULTS.md"
	@echo "make bench-peers      create the environment of the library that bench compares with"
	@echo "make clean            remove environments, builds and caches"

demo: $(VENV)/.installed-base
	$(BIN)/python examples/getting_started.py

$(EXAMPLES): $(VENV)/.installed-examples
	$(BIN)/python examples/$@.py

trajectory_optimization: $(VENV)/.installed-ipopt

test: $(VENV)/.installed-test
	$(BIN)/python -m pytest -n auto --dist loadfile

# The tests that are marked `quick` are in these files; to name them saves importing all others.
QUICK := tests/test_*.py tests/rules/test_every_rule.py
test-quick: $(VENV)/.installed-test
	$(BIN)/python -m pytest -n auto -m quick $(QUICK)

# Options for pytest, such as TESTS="-k scan"; the outcome is recorded only without them.
TESTS ?=
test-jax-oldest: $(OLDEST)/.installed
	$(OLDEST)/bin/python -m benchmarks.versions oldest -- $(TESTS)

test-jax-newest: $(NEWEST)/.installed
	$(NEWEST)/bin/python -m benchmarks.versions newest -- $(TESTS)

# Thousands of random programs against automatic differentiation; FUZZ="--programs 500" for fewer.
FUZZ ?= --programs 20000 --record benchmarks/records/fuzz.json
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
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

primitives: $(VENV)/.installed-dev
	$(BIN)/python docs/generate_primitives.py

bench: $(VENV)/.installed-bench $(PEERS)/.installed
	$(BIN)/python -m benchmarks --write --peer $(PEERS)/bin/python

bench-peers: $(PEERS)/.installed

clean:
	rm -rf $(VENV) $(PEERS) $(OLDEST) $(NEWEST) build dist site *.egg-info .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# Stamp files stand for finished installations.

$(VENV)/.created:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "asdex needs Python 3.11 or newer, got %s; choose one with: make PYTHON=python3.12" % sys.version.split()[0])'
	$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/.installed-base: $(VENV)/.created pyproject.toml
	$(BIN)/python -m pip install --quiet --editable .
	@touch $@

$(VENV)/.installed-examples: $(VENV)/.created pyproject.toml
	$(BIN)/python -m pip install --quiet --editable ".[examples]"
	@touch $(VENV)/.installed-base $@

# IPOPT has wheels for most machines; the example runs without it.
$(VENV)/.installed-ipopt: $(VENV)/.installed-examples
	$(BIN)/python -m pip install --quiet --editable ".[ipopt]" || echo "going on without IPOPT"
	@touch $@

$(VENV)/.installed-test: $(VENV)/.created pyproject.toml
	$(BIN)/python -m pip install --quiet --editable ".[test,klu,ipopt]"
	@touch $(VENV)/.installed-base $(VENV)/.installed-examples $@

$(VENV)/.installed-bench: $(VENV)/.created pyproject.toml
	$(BIN)/python -m pip install --quiet --editable ".[bench]"
	@touch $(VENV)/.installed-base $(VENV)/.installed-examples $@

$(VENV)/.installed-dev: $(VENV)/.created pyproject.toml
	$(BIN)/python -m pip install --quiet --editable ".[dev]"
	@touch $(VENV)/.installed-base $(VENV)/.installed-examples $(VENV)/.installed-test $@

# The interpreters for the version runs: the first that runs. `python3.13` does not where pyenv has it but
# is not told to use it.
first_that_runs = $(shell for python in $(1); do $$python -c '' 2>/dev/null && echo $$python && break; done)
of_pyenv = $(wildcard $(HOME)/.pyenv/versions/$(1).*/bin/python)
OLDEST_PYTHON ?= $(call first_that_runs,python3.11 $(call of_pyenv,3.11))
NEWEST_PYTHON ?= $(call first_that_runs,python3.13 $(call of_pyenv,3.13) python3.12 $(call of_pyenv,3.12) $(PYTHON))

# The lower bounds of pyproject.toml, which have wheels for Python 3.11 and for none after it.
OLDEST_PACKAGES := jax==0.6.0 jaxlib==0.6.0 equinox==0.11.12 numpy==1.26.0 scipy==1.11.1
# The last that imports with the oldest scipy; the later ones do not say that they need more.
OLDEST_TEST_PACKAGES := pyamg==5.2.1

$(OLDEST)/.installed: pyproject.toml
	$(if $(OLDEST_PYTHON),,$(error The oldest packages need Python 3.11, which was not found; say where it is: make OLDEST_PYTHON=/path/to/python3.11 $@))
	$(OLDEST_PYTHON) -m venv --clear $(OLDEST)
	$(OLDEST)/bin/python -m pip install --quiet --editable ".[test]" $(OLDEST_PACKAGES) $(OLDEST_TEST_PACKAGES)
	@touch $@

$(NEWEST)/.installed: pyproject.toml
	$(NEWEST_PYTHON) -m venv --clear $(NEWEST)
	@$(NEWEST)/bin/python -c 'import sys; sys.version_info >= (3, 13) or print("The newest jax for Python", sys.version.split()[0], "is tested. For Python 3.13: make NEWEST_PYTHON=/path/to/python3.13 test-jax-newest")'
	$(NEWEST)/bin/python -m pip install --quiet --editable ".[test,klu,ipopt]"
	@touch $@

# The peer that the benchmarks compare with: the same import name, hence an environment of its own.
$(PEERS)/.installed:
	$(PYTHON) -m venv $(PEERS)
	$(PEERS)/bin/python -m pip install --quiet asdex==0.5.1 jax==0.10.2 diffrax 'sif2jax>=0.0.8' 'casadi>=3.8'
	@touch $@
