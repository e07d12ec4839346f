# The verbs of this workshop. Each works on a fresh clone with Python 3.11 and pip alone.

PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet

.DEFAULT_GOAL := help
.PHONY: help demo test check format bench fuzz docs setup-system lock clean

help:  ## show the verbs
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: $(VENV)/.demo  ## run the main job: a secret that leaves only for attested code, and six thefts that fail
	@$(BIN)/adyton demo

test: $(VENV)/.dev  ## run the tests
	$(BIN)/pytest

check: $(VENV)/.dev  ## check format, lint, types, layers and docs
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python tools/list_checks.py --check
	$(BIN)/python tools/list_verbs.py --check
	$(BIN)/python tools/check_docs.py

format: $(VENV)/.dev  ## format the code
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: $(VENV)/.dev  ## measure against peers, side by side in one run
	$(BIN)/python bench/verify.py

fuzz: $(VENV)/.fuzz  ## run each fuzz target, guided by coverage (RUNS=20000)
	$(BIN)/python fuzz/campaign.py --runs $${RUNS:-20000}

docs: $(VENV)/.dev  ## write the pages that are made from the code, and check all of them
	$(BIN)/python tools/list_checks.py
	$(BIN)/python tools/list_verbs.py
	$(BIN)/python tools/check_docs.py

setup-system:  ## install what tests need from the system (today: nothing beyond Python)
	@echo "nothing to install: the tests need Python and its packages only"

lock:  ## renew the lock files, with hashes and without an index's address (needs uv)
	uv pip compile --quiet --generate-hashes --no-emit-index-url --no-header --python-version 3.11 \
	  --extra demo --group build pyproject.toml --output-file requirements/demo.lock $(LOCKFLAGS)
	uv pip compile --quiet --generate-hashes --no-emit-index-url --no-header --python-version 3.11 \
	  --extra demo --group build --group dev --constraint requirements/demo.lock \
	  pyproject.toml --output-file requirements/dev.lock $(LOCKFLAGS)
	uv pip compile --quiet --generate-hashes --no-emit-index-url --no-header --python-version 3.11 \
	  --group fuzz --output-file requirements/fuzz.lock $(LOCKFLAGS)

clean:  ## remove the environment and what was built
	rm -rf $(VENV) build dist

$(VENV)/.demo: requirements/demo.lock pyproject.toml
	@echo "preparing $(VENV): the first time takes about half a minute"
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Python 3.11 or later is needed, found $$($(PYTHON) --version): make demo PYTHON=/path/to/python3.11"; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(PIP) install --require-hashes --requirement requirements/demo.lock
	@$(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/.dev: requirements/dev.lock $(VENV)/.demo
	@$(PIP) install --require-hashes --requirement requirements/dev.lock
	@touch $@

$(VENV)/.fuzz: requirements/fuzz.lock $(VENV)/.dev
	@$(PIP) install --require-hashes --requirement requirements/fuzz.lock || \
	  echo "atheris does not install here: the targets run with random changes, without coverage"
	@touch $@
