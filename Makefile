# Two commands for a newcomer: `make demo` and `make test`. Both make their own virtual environment.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
# Tests run side by side, those of one file in order; each process takes about 2 GB and one thread.
PROCESSES ?= 2
READY := $(VENV)/.ready

.PHONY: help demo test check format clean

help:
	@echo "make demo    set up, make two synthetic actors, swap and re-sync one; look at demo/out.mp4"
	@echo "make test    set up, then every check (lint, types, layers, tests)"
	@echo "make check   the checks alone, in the environment that is there"
	@echo "make clean   remove the environment and the demo"

$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "lipswap needs Python 3.11 or newer; name one: make PYTHON=python3.12 $(MAKECMDGOALS)" >&2; exit 4; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt torch
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
	@touch $@

demo: $(READY)
	$(BIN)/lipswap demo -o demo

test: $(READY)
	$(BIN)/lipswap weights fetch
	$(MAKE) check

check:
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	OMP_NUM_THREADS=1 $(BIN)/pytest --numprocesses $(PROCESSES) --dist loadfile

format:
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

clean:
	rm -rf $(VENV) demo build *.egg-info
