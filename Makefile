# What a developer types. A fresh machine needs Python 3.11 or newer, pip and make; everything else arrives in .venv.
#
#   make demo     the example shop on http://127.0.0.1:8000, filled, with logins
#   make test     every test: SQLite, PostgreSQL, without Oscar, in a browser, from the wheel
#   make help     the rest

PYTHON ?= $(shell for name in python3 python3.13 python3.12 python3.11; do \
	$$name -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$name && break; done)
VENV ?= .venv
HOST ?= 127.0.0.1
PORT ?= 8000
# Test processes at a time, and which runs of `make test` to do (default: all).
WORKERS ?= 2
RUNS ?=

PY := $(VENV)/bin/python
PACKAGES := wagtail_referrals oscar_integration
export PYTHONUNBUFFERED := 1
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.DEFAULT_GOAL := help
.PHONY: help demo test lint lint-style lint-types lint-imports lint-migrations lint-templates lint-translations format bench bench-scale screenshots messages migrations dump clean

help: ## Show this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1|\2/p' $(MAKEFILE_LIST) | while IFS='|' read -r name text; do \
		printf '%-20s %s\n' "$$name" "$$text"; done

# --- the environment ---------------------------------------------------------------------------------------------------
# Each stamp stands for an installed extra, and is made again when pyproject.toml changes.

$(PY):
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed; name one with PYTHON=/path/to/python"; exit 1; }
	@echo "Making $(VENV) with $$($(PYTHON) --version)"
	@# A Debian without python3-venv has no ensurepip: then the system's pip fills the environment.
	@$(PYTHON) -m venv $(VENV) >/dev/null 2>&1 || { rm -rf $(VENV); \
		$(PYTHON) -m venv --without-pip $(VENV) && $(PYTHON) -m pip --python $(PY) install pip; }

$(VENV)/.demo: pyproject.toml | $(PY)
	@echo "Installing the example shop (1 to 2 minutes the first time)"
	@$(PY) -m pip install --progress-bar on -e '.[oscar,demo]'
	@touch $@

$(VENV)/.test: pyproject.toml | $(PY)
	@echo "Installing the tests (1 to 3 minutes the first time)"
	@$(PY) -m pip install --progress-bar on -e '.[test]'
	@touch $(VENV)/.demo $@

$(VENV)/.bench: pyproject.toml | $(PY)
	@echo "Installing what is measured against (1 to 3 minutes the first time)"
	@$(PY) -m pip install --progress-bar on -e '.[bench]'
	@touch $(VENV)/.demo $(VENV)/.test $@

$(VENV)/.lint: pyproject.toml | $(PY)
	@echo "Installing the linters (1 to 3 minutes the first time)"
	@$(PY) -m pip install --progress-bar on -e '.[lint]'
	@touch $(VENV)/.demo $(VENV)/.test $@

# --- the two commands --------------------------------------------------------------------------------------------------

# The shop's own database is made under another name, so that one whose making was interrupted is made anew.
DEMO := example_site/demo.sqlite3
FILL := $(PY) manage.py migrate && $(PY) manage.py seed_shop && $(PY) manage.py seed_history

demo: export EXAMPLE_HOST = $(HOST):$(PORT)
demo: $(VENV)/.demo ## Fill the example shop and serve it
	@# Until the first release the first migrations are written anew, and no database can follow.
	@if [ -z "$$EXAMPLE_DATABASE$$EXAMPLE_POSTGRES" ] && [ -f $(DEMO) ] && [ -n "$$(find $(PACKAGES) example_site -name 0001_initial.py -newer $(DEMO))" ]; then \
		echo "The tables have changed since $(DEMO) was made: it is $(DEMO).old now, and made anew"; \
		for part in "" -wal -shm; do [ ! -f $(DEMO)$$part ] || mv $(DEMO)$$part $(DEMO).old$$part; done; \
	fi
	@if [ -n "$$EXAMPLE_DATABASE$$EXAMPLE_POSTGRES" ] || [ -f $(DEMO) ]; then \
		echo "Preparing the database"; \
		$(FILL); \
	else \
		echo "Making the database, with three months of history (1 to 2 minutes the first time)"; \
		rm -rf $(DEMO).part* example_site/mail; \
		export EXAMPLE_DATABASE=$(DEMO).part; \
		$(FILL) && mv $(DEMO).part $(DEMO); \
	fi
	@echo
	@echo "The shop:              http://$(HOST):$(PORT)/"
	@echo "Wagtail, for editors:  http://$(HOST):$(PORT)/admin/"
	@echo "Orders, for the shop:  http://$(HOST):$(PORT)/en/dashboard/"
	@echo "E-mails that it sent:  http://$(HOST):$(PORT)/en/mails/"
	@echo "Stop with Ctrl-C."
	@$(PY) manage.py referrals_sweep --every 15 & sweep=$$!; \
	$(PY) manage.py runserver $(HOST):$(PORT) & server=$$!; \
	trap 'kill $$sweep $$server 2>/dev/null' EXIT; trap 'exit 0' INT TERM HUP; \
	wait $$server

test: $(VENV)/.test ## Run every test; RUNS="sqlite browser" for some
	@$(PY) -m tests --workers $(WORKERS) $(RUNS)

# --- quality -----------------------------------------------------------------------------------------------------------

# `make -k lint` runs every check, also after a complaint.
lint: lint-style lint-types lint-imports lint-migrations lint-templates lint-translations ## Check everything but the tests

lint-style: $(VENV)/.lint
	@echo "--- ruff"; $(PY) -m ruff check . && $(PY) -m ruff format --check .

lint-types: $(VENV)/.lint
	@echo "--- mypy"; $(PY) -m mypy $(PACKAGES)

lint-imports: $(VENV)/.lint
	@echo "--- import-linter"; $(VENV)/bin/lint-imports

lint-migrations: $(VENV)/.lint
	@echo "--- makemigrations --check"; $(PY) manage.py makemigrations --check --dry-run --settings=tests.settings
	@$(PY) manage.py makemigrations --check --dry-run --settings=tests.plainshop.settings

lint-templates: $(VENV)/.lint
	@echo "--- djlint"; $(PY) -m djlint --lint --quiet $(PACKAGES) example_site tests/oldshop

lint-translations: $(VENV)/.lint
	@echo "--- translations"; $(PY) tools/messages.py check

format: $(VENV)/.lint ## Put the code into the shape that lint wants
	@$(PY) -m ruff check --fix . ; $(PY) -m ruff format .

migrations: $(VENV)/.test ## Write what the models lack in migrations
	@$(PY) -m tools.migrations --settings=tests.settings

messages: $(VENV)/.test ## Collect the texts into the .po files and compile them
	@$(PY) tools/messages.py update

bench: $(VENV)/.bench ## Measure pages and the ledger, as ratios within one run
	@$(PY) -m benchmarks
	@$(PY) -m benchmarks.ledger
	@$(PY) -m benchmarks.audit
	@$(PY) -m benchmarks.backfill
	@$(PY) -m benchmarks.leaderboards
	@$(PY) -m benchmarks.messages

bench-scale: $(VENV)/.bench ## Fill a big shop (a million referrals) and measure its pages
	@$(PY) -m benchmarks.scale

screenshots: $(VENV)/.test ## Take the pictures of the README and the docs anew
	@$(PY) -m tools.screenshots
	@$(PY) -m tools.tutorial_pictures

dump: $(VENV)/.test ## Keep the database of this release for the tests of upgrades
	@$(PY) -m tools.release_dump

clean: ## Remove what was made, except .venv
	@rm -rf .cache build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
