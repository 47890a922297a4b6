# make run    tune the kernel stack on this machine (BUDGET=30s shortens it)
# make test   lint, types and all tests
# make bench  measure docs/benchmarks.md again (an hour)
# make manual build/manual: the pages of docs/ as a site, which needs no network to be read or searched
# make man    write docs/man/tuner.1 from the commands (a test says when it must be)

PYTHON ?= python3
BUDGET ?= 180s
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.ready
SOURCES := $(shell find tuner/preload profiles docs/man -type f)
SERIAL = $(shell grep -l mark.serial tests/test_*.py)

.PHONY: run test lint types tests setup tools browser postgresql sshd programs bench man manual clean

run: setup
	@$(BIN)/tuner tune latency --budget $(BUDGET) || test $$? -eq 3

test: lint types tests

lint: setup
	$(BIN)/ruff check
	$(BIN)/ruff format --check

types: setup
	$(BIN)/mypy

# Most tests of sessions wait for processes more than they compute, so that several keep a CPU busy. Those that start real sockperf share
# the machine with three others; only the files that hold such tests are read for them.
# A linear algebra library's threads would only wait for those of the tests beside.
# Each of them would make the bytecode of all tests anew where the environment asks Python to write none.
tests: export OPENBLAS_NUM_THREADS := 1
tests: export PYTHONDONTWRITEBYTECODE :=
tests: setup browser postgresql sshd programs
	$(BIN)/pytest -q -n 7 --dist worksteal -m "not serial"
	$(BIN)/pytest -q -n 4 --dist loadgroup -m serial $(SERIAL)

bench: setup
	$(BIN)/python benchmarks/write.py

man: setup
	$(BIN)/python -m tuner.cli.manual > docs/man/tuner.1

manual: setup
	$(BIN)/python -m tuner.cli.reference > docs/commands.md
	$(BIN)/python -m tuner.cli.reference parameters > docs/parameters.md
	$(BIN)/python -m sphinx -q -W --keep-going -b html docs build/manual
	@echo "build/manual/index.html"

setup: tools $(STAMP)

tools:
	@sh .ci/tools

# For the tests of reports; without a browser they are skipped and say so.
browser:
	@sh .ci/tools chromium || true

# The same for the tests of a shared store, which run a server of their own.
postgresql:
	@sh .ci/tools postgresql || true

# For the tests of other hosts; without it they are skipped and say so.
sshd:
	@sh .ci/tools ssh sshd ip || true

# And for those of the package's recipes; what is not there is skipped.
programs:
	@sh .ci/tools redis-server iperf3 || true

$(STAMP): pyproject.toml constraints.txt $(SOURCES)
	@echo "Making $(VENV): an environment with the pinned dependencies and the compiled libraries; about a minute." >&2
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt pip
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable . --group dev
	@$(BIN)/python -m compileall -q tuner # also where the environment asks Python to write no bytecode
	@touch $@

clean:
	rm -rf $(VENV) build .mypy_cache .ruff_cache .pytest_cache .hypothesis
