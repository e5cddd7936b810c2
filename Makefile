# Every target does its own set-up. A fresh machine needs Python 3.11+, make and a package index.
#   make demo   the main job, end to end; proves its numbers     make up / down   local services
#   make test   the tests                                        make check       lint, types, import contracts
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11 python; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

# Byte code is compiled once at install: Airflow and dbt start in half the time.
unexport PYTHONDONTWRITEBYTECODE
unexport PYTHONPATH

.DEFAULT_GOAL := help
.PHONY: help demo test check up down clean lock docs

help:
	@sed -n 's/^#   //p' Makefile

demo: $(READY)
	@$(BIN)/mercato demo

test: $(READY)
	@$(BIN)/python -m pytest -q --numprocesses logical --maxprocesses 4 --dist loadfile --no-loadscope-reorder $(ARGS)

check: $(READY)
	@$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/mypy && $(BIN)/mypy benchmarks && $(BIN)/lint-imports

up: $(READY)
	@$(BIN)/mercato up

down: $(READY)
	@$(BIN)/mercato down

# Stops the services of this checkout, then removes everything that was made in it.
clean:
	@if [ -x $(BIN)/mercato ] && [ -d .mercato ]; then $(BIN)/mercato down --delete-data; fi
	@rm -rf $(VENV) .mercato dbt_project/target dbt_project/logs

$(READY): requirements.lock requirements-bootstrap.lock pyproject.toml
	@if [ -z "$(PYTHON)" ]; then \
		echo "make: no Python 3.11 or newer on the PATH. Install one, or name it: make PYTHON=/path/to/python3.12 demo" >&2; exit 2; fi
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "make: $(PYTHON) is $$($(PYTHON) --version 2>&1), 3.11 or newer is needed: make PYTHON=/path/to/python3.12 demo" >&2; exit 2; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
		echo "make: $(PYTHON) has no venv module. On Debian and Ubuntu: apt-get install python3-venv" >&2; exit 2; }
	@echo "Setting up .venv with $$($(PYTHON) --version) (once)" >&2
	@$(PYTHON) -m venv --clear $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-bootstrap.lock
	@VIRTUAL_ENV=$(VENV) $(BIN)/uv pip install --system-certs --quiet --no-deps --require-hashes --compile-bytecode -r requirements.lock
	@VIRTUAL_ENV=$(VENV) $(BIN)/uv pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

# The data dictionary, from the models.
docs: $(READY)
	@$(BIN)/python -m mercato.services.dictionary

lock: $(READY)
	@$(BIN)/uv pip compile --quiet --universal --generate-hashes --group dev --custom-compile-command "make lock" pyproject.toml -o requirements.lock
	@echo uv | $(BIN)/uv pip compile --quiet --universal --generate-hashes --custom-compile-command "make lock" - -o requirements-bootstrap.lock
