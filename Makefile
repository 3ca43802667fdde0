# botd: `make demo` shows it on a simulated cluster, `make test` runs everything that must pass.

PYTHON ?= python3
VENV ?= .venv
RUN = $(VENV)/bin/python

.PHONY: demo test lint lab faults bench packages clean help

help:
	@echo "make demo   botd on a simulated cluster, at http://localhost:5000"
	@echo "make test   linters and tests; as root it installs the Debian packages that they use"
	@echo "make lint   the linters alone"
	@echo "make lab    as root: a real cluster in network namespaces, until Ctrl-C (LAB=\"--nodes 20\")"
	@echo "make faults as root: every fault on that cluster, hostile parts, damage, and the figures"
	@echo "make bench  as root: botd measured beside clush, pdsh, fping and ipmipower (BENCH=\"ssh ping\")"
	@echo "make clean  removes what make made"

demo: $(VENV)/run.stamp
	@exec $(RUN) -m botd --log-level warning demo $(DEMO)

test: packages lint
	$(RUN) -m pytest

lint: $(VENV)/dev.stamp
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy
	$(VENV)/bin/lint-imports

lab: packages $(VENV)/dev.stamp
	@exec $(RUN) -m tests.lab up $(LAB)

faults: packages $(VENV)/dev.stamp
	@BOTD_HOSTILE=30 BOTD_FLIPS=600 $(RUN) -m pytest tests/lab/test_faults.py tests/hostile tests/store/test_flips.py

bench: $(VENV)/dev.stamp
	@sh tests/install-packages.sh clustershell freeipmi-tools pdsh
	@$(RUN) -m bench $(BENCH)

packages:
	@sh tests/install-packages.sh

$(VENV)/bin/python:
	@sh tests/make-venv.sh $(PYTHON) $(VENV)

$(VENV)/run.stamp: requirements.txt $(VENV)/bin/python
	$(RUN) -m pip install --quiet --disable-pip-version-check -r requirements.txt
	@touch $@

$(VENV)/dev.stamp: requirements.txt requirements-dev.txt $(VENV)/bin/python
	$(RUN) -m pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	@touch $@ $(VENV)/run.stamp

clean:
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
