# One command each: `make demo` runs the product, `make test` checks all of it. Needs make and Python 3.11 or newer;
# everything else goes into .venv and node_modules. A second call finds their stamps and does no network work.

VENV   := .venv
BIN    := $(VENV)/bin
PYTHON ?= $(shell for name in python3.13 python3.12 python3.11 python3; do \
            if $$name -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then echo $$name; break; fi; done)
UV     ?= $(shell command -v uv 2>/dev/null)
LOCK   := pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate \
          --no-emit-index-url --no-emit-find-links

ifeq ($(strip $(UV)),)
  MAKE_VENV = $(PYTHON) -m venv
  ADD_PIP   = $(BIN)/python -m pip --version >/dev/null 2>&1 || $(BIN)/python -m ensurepip
  PIP       = $(BIN)/python -m pip
  INSTALL   = $(PIP) install --quiet
else
  MAKE_VENV = $(UV) venv --quiet --python $(PYTHON)
  ADD_PIP   = :
  PIP       = VIRTUAL_ENV=$(VENV) $(UV) pip
  INSTALL   = $(PIP) install --quiet
endif

.SHELLFLAGS    := -euc
.DEFAULT_GOAL  := help
.DELETE_ON_ERROR:
.PHONY: help demo test check fmt bench setup lock clean

help: ## list these targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "make %-6s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: $(VENV)/.installed ## run the whole loop against a local Azure
	@$(BIN)/apiward demo

# Files are handed out in their order: the long ones are in tests/e2e, and short ones are left for the end.
test: check ## every check, then every test with coverage
	$(BIN)/pytest -n 2 --dist loadfile --no-loadscope-reorder --cov

check: setup ## formatting, lint, types, layers, generated files
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	for app in $(wildcard */function_app.py); do $(BIN)/mypy $$app; done
	$(BIN)/lint-imports
	$(BIN)/python tools/generate.py --check

fmt: $(VENV)/.installed ## rewrite formatting, import order and generated files
	$(BIN)/ruff check --fix-only --quiet .
	$(BIN)/ruff format .
	$(BIN)/python tools/generate.py

bench: $(VENV)/.installed ## measure the connector (BENCH="--rows 20000" for a quick look)
	@$(BIN)/python benchmarks/connector.py $(BENCH)

setup: $(VENV)/.installed node_modules/.installed ## build .venv and node_modules

lock: ## resolve the dependencies anew (UPGRADE=--upgrade moves the pinned versions too)
	@test -n "$(strip $(UV))" || { echo "make lock needs uv: put it on PATH or pass UV=/path/to/uv" >&2; exit 1; }
	$(UV) $(LOCK) $(UPGRADE) --all-extras pyproject.toml --output-file requirements.lock
	$(UV) $(LOCK) $(UPGRADE) tools/node.in --output-file tools/node.lock
	npm install --package-lock-only --omit-lockfile-registry-resolved --ignore-scripts --no-audit --no-fund

clean: ## remove what the other targets made
	rm -rf $(VENV) node_modules dist htmlcov .coverage .coverage.* .pytest_cache .mypy_cache .ruff_cache .import_linter_cache \
	  .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# An installation that was broken off leaves packages that look installed, so .unfinished makes the next call start afresh.
$(VENV)/.locked: requirements.lock
	@test -n "$(strip $(PYTHON))" || \
	  { echo "apiward needs Python 3.11 or newer: install it, or pass PYTHON=/path/to/python" >&2; exit 1; }
	@if test -e $(VENV)/.unfinished || ! $(BIN)/python -c '' 2>/dev/null; then \
	  rm -rf $(VENV); echo "making $(VENV) with $(PYTHON)"; $(MAKE_VENV) $(VENV); fi
	@touch $(VENV)/.unfinished
	@$(ADD_PIP)
	@echo "installing requirements.lock"
	@$(INSTALL) --require-hashes -r requirements.lock
	@rm $(VENV)/.unfinished
	@touch $@

$(VENV)/.installed: $(VENV)/.locked pyproject.toml
	@$(INSTALL) --no-deps --no-build-isolation --editable .
	@$(PIP) check || { echo "requirements.lock is behind pyproject.toml: run make lock" >&2; exit 1; }
	@touch $@

# Where the system has no Node, the one that PyPI carries does; only npm is wanted from it.
node_modules/.installed: package-lock.json | $(VENV)/.installed
	@command -v node >/dev/null && command -v npm >/dev/null || $(INSTALL) --require-hashes -r tools/node.lock
	@PATH="$$PATH:$(CURDIR)/$(BIN)" npm ci --ignore-scripts --no-audit --no-fund --loglevel=error
	@touch $@
