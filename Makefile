# Two commands: `make run` and `make test`. Both set up what they need; both may be run again and again.
# Needs: git, make, python3 (3.11 or newer) with venv.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# What is run a second time with the console's own data on PostgreSQL.
ON_POSTGRES := tests/accounts tests/system/test_matrix.py \
    $(filter-out $(addprefix tests/servers/test_, rights.py connection.py documented_account.py tls.py), $(wildcard tests/servers/test_*.py)) \
    $(addprefix tests/history/test_, store.py sampler.py timeline.py drift.py forecast.py) \
    $(addprefix tests/monitoring/test_, health.py server_page.py deploys.py timeline_page.py) \
    $(addprefix tests/operations/test_, audit.py audit_chain.py commands.py deliveries.py telling.py execution.py)
PIP := $(BIN)/python -m pip install -qq --disable-pip-version-check --require-hashes

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.PHONY: help run test test-faults chromium lint benchmark-pages benchmark-delete benchmark-backups benchmark-probes benchmark-sampler benchmark-charts screenshots clean setup setup-dev

help: ## Say what can be done
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1\t\2/' | expand -t 16

run: setup ## Set everything up and serve the console on http://localhost:8000 (PORT=8001 for another port, DEMO=0 without the demo)
	@exec $(BIN)/python -m console.supervise

test: setup-dev chromium lint ## Run the linters, the types, the import rules and every test on real servers
	@mkdir -p test-results
	$(BIN)/python -m pytest -q -n 3 --dist loadfile --no-loadscope-reorder --junitxml=test-results/pytest.xml $(TESTS)
	$(BIN)/python -m tests.on_postgres -q -n 3 --dist loadfile --no-loadscope-reorder --junitxml=test-results/on-postgres.xml $(ON_POSTGRES)

test-faults: setup-dev ## Kill workers, stop servers, fill disks, move clocks: about ten minutes
	$(BIN)/python -m pytest -q -n 3 --dist load -p no:cacheprovider tests/faults

lint: setup-dev ## Run the linters, the types and the import rules
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy apps console tests
	$(BIN)/lint-imports
	$(BIN)/djade --target-version 5.2 --check $$(git ls-files 'templates/*.html')
	$(BIN)/python manage.py makemigrations --check --dry-run --settings tests.settings
	PUBLIC_URL=https://console.example.org $(BIN)/python manage.py check --deploy --fail-level WARNING --settings tests.settings

benchmark-pages: setup-dev ## Time every page on the demo against a bare Django page
	$(BIN)/python -m benchmarks.pages

benchmark-delete: setup-dev ## Time deleting by pattern against redis-cli --scan | xargs unlink, on a private Redis
	$(BIN)/python -m benchmarks.delete_by_pattern

benchmark-backups: setup-dev ## Time backups against redis-cli --rdb and pg_dump -Fc, on private servers
	$(BIN)/python -m benchmarks.backups

benchmark-sampler: setup-dev ## Sample 200 private servers every ten seconds and tell what it costs
	$(BIN)/python -m benchmarks.sampler

benchmark-charts: setup-dev ## Time a chart of 400 days with little and with much history
	$(BIN)/python -m benchmarks.charts

benchmark-probes: setup-dev ## Tell what the sampler's questions cost, on private servers
	$(BIN)/python -m benchmarks.probes

screenshots: setup-dev ## Take the pictures of the README from a running demo (needs Chromium)
	$(BIN)/python -m tools.screenshots

clean: ## Remove what run and test made: the environment, caches and the data folder with its keys and its demo
	@if [ -e data/lock ] && ! flock --nonblock data/lock true; then echo "A console is running here: stop it first."; exit 1; fi
	@if [ -d data ]; then find data -name elsewhere -type f -exec cat {} + | grep -xE '/var/tmp/signalbox-[A-Za-z0-9_]+' | xargs -r rm -rf; fi
	rm -rf $(VENV) data .work test-results .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# The browser tests take the machine's Chromium. As root on Debian it is installed; elsewhere they are left out and listed.
chromium:
	@command -v chromium chromium-browser google-chrome > /dev/null || { [ "$$(id -u)" = 0 ] && command -v apt-get > /dev/null \
	  && apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq chromium > /dev/null; } \
	  || echo "No Chromium here: the browser tests are left out. On Debian: apt-get install chromium"

setup:
	@$(call make_venv,run,)

setup-dev:
	@$(call make_venv,dev,requirements-dev.txt)

# $(1): the stamp's name; $(2): a further requirements file. Building it aside and stamping it last means that an
# interrupted set-up is done again.
define make_venv
$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed: PYTHON=/path/to/python3.11 make run"; exit 1; }; \
wanted=$$( { $(PYTHON) -c 'import sys; print(sys.version)'; cat requirements.txt $(2); } | cksum); \
if [ "$$(cat $(VENV)/.stamp-$(1) 2>/dev/null)" = "$$wanted" ]; then exit 0; fi; \
echo "Setting up $(VENV) (about a minute, once) ..."; \
[ -x $(BIN)/python ] && $(BIN)/python -c 'import pip' 2>/dev/null || $(PYTHON) -m venv --clear $(VENV) || { echo "python3 has no venv: on Debian, apt-get install python3-venv"; exit 1; }; \
$(PIP) -r $(if $(2),$(2),requirements.txt); \
echo "$$wanted" > $(VENV)/.stamp-$(1)
endef
