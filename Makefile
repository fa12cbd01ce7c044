# make demo | test | test-long | fuzz | check | bench | serve: each installs what it needs into .venv, once, and then does its one thing.
# Needs Python 3.11 to 3.14 and make. PYTHON=/path/to/python chooses another interpreter than the first that fits.

VENV := .venv
BIN := $(VENV)/bin
FITS := import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 15))
PYTHON ?= $(shell for p in python3 python python3.14 python3.13 python3.12 python3.11; do \
	"$$p" -c '$(FITS)' 2>/dev/null && echo "$$p" && break; done)

.DEFAULT_GOAL := help
.PHONY: help demo test test-long fuzz check format bench serve lock clean

help:
	@echo "make demo    plan the built-in thorax and print its ranked paths"
	@echo "make test    the tests of every promise, with the import contracts and the coverage gate; some minutes"
	@echo "make test-long  what needs longer: real cases, random plans, kills, every case of a test"
	@echo "make fuzz    ask a running service at random, for longer than the tests do"
	@echo "make check   lint, format, types, import contracts, Dockerfile"
	@echo "make bench   benchmarks, as ratios measured in one run"
	@echo "make serve   start the service on this machine"

# One stamp for each set of extras. A stamp is as new as the last install that succeeded.
$(VENV)/python:
	@test -n "$(PYTHON)" || { echo "No Python 3.11 to 3.14 found: install one, or say make PYTHON=/path/to/python" >&2; exit 1; }
	@echo "Installing into $(VENV) (once; a few minutes) ..."
	@"$(PYTHON)" -m venv $(VENV)
	@touch $@

INSTALL = $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint requirements.lock --editable
STAMP_NEEDS := $(VENV)/python pyproject.toml requirements.lock

$(VENV)/run: $(STAMP_NEEDS)
	@$(INSTALL) .
	@touch $@

$(VENV)/test: $(STAMP_NEEDS)
	@$(INSTALL) '.[test]'
	@touch $@ $(VENV)/run

$(VENV)/dev: $(STAMP_NEEDS)
	@$(INSTALL) '.[test,dev]'
	@touch $@ $(VENV)/test $(VENV)/run

$(VENV)/bench: $(STAMP_NEEDS)
	@$(INSTALL) '.[bench]'
	@touch $@ $(VENV)/run

demo: $(VENV)/run
	@$(BIN)/seedpath demo

serve: $(VENV)/run
	@$(BIN)/seedpath serve

# One more than there are cores: many tests wait for a process or a clock. A fourth on two cores gained nothing.
WORKERS := $(shell expr $$(getconf _NPROCESSORS_ONLN) + 1)

# Processes that tests start share their bytecode, wherever the environment keeps it from being written. Workers
# take every core: threads of their own would wait for each other, and those of BLAS wait by computing.
PYTEST := PYTHONDONTWRITEBYTECODE= SEEDPATH_THREADS=1 OPENBLAS_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses $(WORKERS) --maxprocesses 4 --dist loadfile \
	--no-loadscope-reorder

# The second run sees inside numba's kernels, which no tracer can follow once they are compiled.
test: $(VENV)/test
	$(BIN)/lint-imports --no-logo
	rm -f .coverage
	$(PYTEST) -m 'not long' --cov --cov-report=
	NUMBA_DISABLE_JIT=1 $(PYTEST) -m 'interpreted and not long' --cov --cov-append --cov-report=
	$(BIN)/python tests/coverage_gate.py

test-long: $(VENV)/test
	$(PYTEST) -m long

# EXAMPLES=100 is about five minutes.
EXAMPLES := 100
fuzz: $(VENV)/test
	TEST_EXAMPLES=$(EXAMPLES) $(BIN)/python -m pytest tests/system/test_fuzz.py

check: $(VENV)/dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo
	$(BIN)/hadolint Dockerfile

format: $(VENV)/dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(VENV)/bench
	@$(BIN)/python -m benchmarks $(ONLY)

# After a change of dependencies in pyproject.toml: the newest versions that fit, together.
lock: $(VENV)/python
	$(BIN)/python .ci/lock.py

clean:
	rm -rf $(VENV) build *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .coverage
