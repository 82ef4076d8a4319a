# make up     a network on this machine     make check  format, lint, types, contracts, spelling
# make test   every test but the next two   make bench  the figures
# make test-compat  unmodified clients: SDK 11 and 10, btcli, openai, @polkadot/api (with Node.js)
# make test-torch   the optional adapter for PyTorch, in an environment of its own
# Needs python3 (3.11 or newer), make and a package index; everything lands in .venv.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
PIP    := $(BIN)/python -m pip --disable-pip-version-check --quiet
ARGS   ?=

.DEFAULT_GOAL := help
.PHONY: help up test test-compat test-torch check format record bench lock clean

help:
	@sed -n '1,/^$$/s/^# \{0,1\}//p' Makefile

up: $(VENV)/.runtime
	@exec $(BIN)/mycelia up $(ARGS)

# Unit tests first: what fails there explains what fails later. TESTS=tests/unit/codec runs some.
test: $(VENV)/.dev
ifdef TESTS
	$(BIN)/python -m pytest $(TESTS) $(ARGS)
else
	$(BIN)/python -m pytest tests/unit $(ARGS)
	$(BIN)/python -m pytest tests --ignore=tests/unit --ignore=tests/compat $(ARGS)
endif

# Clients as they are published; the last two, SDK 10 and @polkadot/api, in environments of their own.
# Without Node.js the last is skipped, loudly.
COMPAT := build/compat
test-compat: $(VENV)/.dev $(COMPAT)/.v10 $(COMPAT)/.polkadot
	MYCELIA_COMPAT=$(COMPAT) $(BIN)/python -m pytest tests/compat $(ARGS)

$(COMPAT)/.v10: requirements/compat-v10.txt
	@echo "Installing the 10.x SDK into $(COMPAT)/v10 (once) ..."
	rm -rf $(COMPAT)/v10 && $(PYTHON) -m venv $(COMPAT)/v10
	$(COMPAT)/v10/bin/python -m pip --disable-pip-version-check --quiet install --require-hashes -r $<
	@touch $@

$(COMPAT)/.polkadot: tests/compat/polkadot/package-lock.json
	@mkdir -p $(COMPAT)/polkadot && cp tests/compat/polkadot/package*.json $(COMPAT)/polkadot
	@if command -v npm >/dev/null; then \
		echo "Installing @polkadot/api into $(COMPAT)/polkadot (once) ..."; \
		npm ci --prefix $(COMPAT)/polkadot --no-audit --no-fund --ignore-scripts && touch $@; \
	else \
		echo "NOT TESTED: @polkadot/api, since this machine has no npm."; \
	fi

# PyTorch is an optional extra, outside the lock; this fetches some three gigabytes, once.
TORCH := build/torch
test-torch: $(TORCH)/.ready
	PYTHONPATH=src $(TORCH)/bin/python -m pytest tests/conformance/test_models_torch.py $(ARGS)

$(TORCH)/.ready: requirements/torch.txt
	@echo "Installing PyTorch into $(TORCH) (once) ..."
	rm -rf $(TORCH) && $(PYTHON) -m venv $(TORCH)
	$(TORCH)/bin/python -m pip --disable-pip-version-check --quiet install -r $<
	@touch $@

check: $(VENV)/.dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m tools.lints
	$(BIN)/codespell

format: $(VENV)/.dev
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

# Golden files hold what clients see. Record again on purpose, then read the difference.
record: $(VENV)/.dev
	MYCELIA_RECORD=1 $(BIN)/python -m pytest tests/golden

bench: $(VENV)/.dev
	$(BIN)/python -m benchmarks $(ARGS)

# The stamps make a second run start at once; a changed lock file makes it install again.
$(VENV)/bin/python:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "mycelia needs Python 3.11 or newer: make PYTHON=python3.x")'
	$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); exit 1; }

$(VENV)/.runtime: requirements/runtime.txt pyproject.toml | $(VENV)/bin/python
	@echo "Installing mycelia into $(VENV) (once, about a minute) ..."
	$(PIP) install --require-hashes -r requirements/runtime.txt
	$(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/.dev: requirements/dev.txt $(VENV)/.runtime
	@echo "Installing the developer tools into $(VENV) (once) ..."
	$(PIP) install --require-hashes -r requirements/dev.txt
	@touch $@

# Lock again after a change in pyproject.toml or requirements/dev.in; UPGRADE=--upgrade moves every pin.
COMPILE = build/lock/bin/pip-compile --quiet --generate-hashes --allow-unsafe --strip-extras --no-header \
	--no-annotate --no-emit-index-url --no-emit-trusted-host --no-emit-find-links --no-emit-options $(UPGRADE)
lock:
	$(PYTHON) -m venv build/lock
	build/lock/bin/pip install --quiet pip-tools
	$(COMPILE) --build-deps-for editable --output-file requirements/runtime.txt pyproject.toml
	$(COMPILE) --output-file requirements/dev.txt requirements/dev.in
	$(COMPILE) --output-file requirements/compat-v10.txt requirements/compat-v10.in

clean:
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
