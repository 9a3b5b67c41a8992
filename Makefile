# `make demo` and `make test` each set up all they need in .venv and run.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.installed
# Test processes; each computes on one thread.
JOBS   ?= 2
# What `make test COVERAGE=1` adds.
MEASURED := --cov=stainbridge --cov-branch --cov-report=term:skip-covered

.PHONY: demo test test-slow kills fuzz lint format types floors docs coverage wheel clean

demo: $(STAMP)
	$(BIN)/stainbridge demo --out demo-out --overwrite

test: $(STAMP)
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $(JOBS) --dist worksteal -m "not slow"$(if $(COVERAGE), $(MEASURED))

test-slow: $(STAMP)
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $(JOBS) --dist worksteal -m slow

# Kill every verb that writes at random moments; the seed is recorded in the table.
kills: $(STAMP)
	OMP_NUM_THREADS=1 $(BIN)/python -m benchmarks.kills --kills 100 --seed 0 --work kills-work --out kills.csv

# Try damaged inputs of every kind on the command; docs/results/fuzz.md.
fuzz: $(STAMP)
	OMP_NUM_THREADS=1 PYTHONPATH=. $(BIN)/python -m benchmarks.fuzz --processes $(JOBS)

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

format: $(STAMP)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

types: $(STAMP)
	$(BIN)/mypy

floors: $(STAMP)
	$(BIN)/python -m pytest -q tests/test_floors.py

# The documentation site, strict: a broken link or a page out of the menu is an error.
docs: $(STAMP)
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet
	@echo "open build/site/index.html"

# The quick tests, and the lines and branches that they run; a quarter slower.
coverage:
	$(MAKE) test COVERAGE=1

# A wheel in dist/; a test installs it in an empty environment.
wheel: $(STAMP)
	$(BIN)/python -m pip wheel --quiet --no-deps --wheel-dir dist .
	@ls dist/stainbridge-*.whl

clean:
	rm -rf $(VENV) build dist demo-out kills-work .mypy_cache .ruff_cache .pytest_cache .hypothesis

$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "stainbridge needs Python 3.11 or newer, this is " + sys.version.split()[0] + "; name another with: make PYTHON=python3.11 ...")'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet -c constraints.txt -e '.[dev]'
	@touch $@
