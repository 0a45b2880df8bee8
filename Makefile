# make train   create .venv, install, train the built-in letters on every core
# make test    lint, types, structure, tests: what every change must pass, in under 6 minutes
# make coverage the tests again, for the lines that they reach: at least 98 %
# make check   long schedules, soaks, and what needs root or Debian's packages, in under 40 minutes
# make mutants which changes of the core would no test notice? ARGS=FILE for one file
PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check
# A plain path, which editors and type checkers can follow.
EDITABLE := --config-settings editable_mode=compat

# Tests start hundreds of processes; without bytecode each would compile every module of gradsum again, for 0.3 s.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: train test coverage check mutants clean

train: .venv/train
	$(BIN)/gradsum train $(ARGS)

test: .venv/test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/python -m tests.support.compiled & $(BIN)/mypy && wait $$!
	$(BIN)/pytest -n 3 --dist worksteal $(ARGS)

# Half as long again as without, so a target of its own.
coverage: .venv/test
	$(BIN)/pytest -n 3 --dist worksteal --cov --cov-report=term $(ARGS)

# Only what computes, and neither measures nor has a network or a cluster of its own, runs beside others; 5 means that
# ARGS leaves none. The last line repeats the tests of state machines with many more orders of events.
check: .venv/check
	$(BIN)/pytest -n 2 --dist loadfile -m "check and computes" $(ARGS) || test $$? = 5
	$(BIN)/pytest -m "check and not computes" $(ARGS) || test $$? = 5
	GRADSUM_TEST_LONGER=20 $(BIN)/pytest -n 2 -m "not check" --timeout 1200 tests/coordinator/rounds tests/workers/test_any_order.py

mutants: .venv/test
	$(BIN)/python -m tests.support.mutants $(ARGS)

# A stamp file each, so that an install happens again only when the metadata changes.
.venv/train: setup.cfg pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(PIP) --editable ".[fast,plot]" $(EDITABLE) || { echo "numba has no build for this Python: the numpy kernels will do"; $(PIP) --editable ".[plot]" $(EDITABLE); }
	touch $@

.venv/test: .venv/train
	$(PIP) --editable ".[test]" $(EDITABLE)
	touch $@

.venv/check: .venv/test
	$(PIP) --editable ".[check]" $(EDITABLE)
	touch $@

clean:
	rm -rf .venv build *.egg-info .pytest_cache .mypy_cache .ruff_cache .coverage .hypothesis
