# make train   create .venv, install, train the built-in letters on every core
# make test    lint, types, import map, tests with coverage
PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check

.PHONY: train test clean

train: .venv/train
	$(BIN)/gradsum train $(ARGS)

test: .venv/test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/pytest -n 2 --dist worksteal --cov --cov-report=term $(ARGS)

# A stamp file each, so that an install happens again only when the metadata changes.
.venv/train: setup.cfg pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(PIP) --editable ".[fast,plot]" || { echo "numba has no build for this Python: the numpy kernels will do"; $(PIP) --editable ".[plot]"; }
	touch $@

.venv/test: .venv/train
	$(PIP) --editable ".[test]"
	touch $@

clean:
	rm -rf .venv build *.egg-info .pytest_cache .mypy_cache .ruff_cache .coverage .hypothesis
