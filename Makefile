# botd: `make demo` shows it on a simulated cluster, `make test` runs everything that must pass.

PYTHON ?= python3
VENV ?= .venv
SITE ?= build/docs
RUN = $(VENV)/bin/python

INSTALL = $(RUN) -m pip install --quiet --disable-pip-version-check
COMPILE = $(VENV)/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-annotate \
	--no-emit-index-url --custom-compile-command "make requirements"

.PHONY: demo test lint lab faults press bench trust dist deb requirements licences manual docs packages clean help

help:
	@echo "make demo   botd on a simulated cluster, at http://localhost:5000"
	@echo "make test   linters and tests; as root it installs the Debian packages that they use"
	@echo "make lint   the linters alone"
	@echo "make lab    as root: a real cluster in network namespaces, until Ctrl-C (LAB=\"--nodes 20\")"
	@echo "make faults as root: every fault on that cluster, hostile parts, damage, and the figures"
	@echo "make press  as root: actions asked for at once, twice, by thieves, and through kills: what was sent, and the figures"
	@echo "make bench  as root: botd measured beside clush, pdsh, fping and ipmipower (BENCH=\"ssh ping\")"
	@echo "make trust  a simulated year: how often botd's word is right (TRUST=\"--years 3\")"
	@echo "make dist   the sdist, the wheel, and that of bofhbot alone, in dist/"
	@echo "make deb    the Debian packages botd and botd-slurm-helper, in dist/, for the Debian of this machine; lintian looks at them where it is"
	@echo "make requirements  writes requirements*.txt from requirements*.in (UPGRADE=--upgrade for newer releases)"
	@echo "make licences      writes docs/licences.rst"
	@echo "make manual        writes the manual pages and completions in share/"
	@echo "make docs   the pages of docs/ as a site, in build/docs/html/"
	@echo "make clean  removes what make made"

demo: $(VENV)/bin/botd
	@exec $(RUN) -m botd --log-level warning demo $(DEMO)

test: packages lint
	@$(RUN) -m tests.both

lint: $(VENV)/dev.stamp
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy
	$(VENV)/bin/lint-imports

lab: packages $(VENV)/dev.stamp
	@exec $(RUN) -m tests.lab up $(LAB)

faults: packages $(VENV)/dev.stamp
	@BOTD_FAULTS=1 BOTD_HOSTILE=30 BOTD_FLIPS=600 BOTD_TWO_WEBS=300 $(RUN) -m pytest tests/lab/test_faults.py tests/hostile \
		tests/store/test_flips.py tests/web/test_two_webs.py

press: packages $(VENV)/dev.stamp
	@BOTD_PRESS=1 $(RUN) -m pytest tests/press tests/agent/actions tests/lab/test_acting.py

bench: $(VENV)/dev.stamp
	@sh tests/install-packages.sh clustershell freeipmi-tools pdsh
	@$(INSTALL) --require-hashes --upgrade --target $(VENV)/servers -r requirements-servers.txt
	@$(RUN) -m bench $(BENCH)

trust: $(VENV)/dev.stamp
	@$(RUN) -m bench.trust $(TRUST)

dist: $(VENV)/dev.stamp
	rm -rf dist
	$(RUN) -m build --no-isolation
	$(RUN) -m build --no-isolation --wheel --outdir dist bofhbot
	$(VENV)/bin/twine check --strict dist/*

deb: $(VENV)/dev.stamp
	@made=$$(sh packaging/build.sh dist) && echo "$$made" && \
		if command -v lintian >/dev/null; then lintian --fail-on error,warning $$made; fi

requirements: $(VENV)/dev.stamp
	$(COMPILE) $(UPGRADE) --output-file requirements.txt requirements.in
	$(COMPILE) $(UPGRADE) --output-file requirements-build.txt requirements-build.in
	$(COMPILE) $(UPGRADE) --output-file requirements-dev.txt requirements-dev.in
	$(COMPILE) $(UPGRADE) --output-file requirements-servers.txt requirements-servers.in

licences: $(VENV)/dev.stamp
	$(RUN) -m tests.licences

manual: $(VENV)/dev.stamp
	$(RUN) -m tests.manual

docs: $(VENV)/dev.stamp
	@$(RUN) -m sphinx -M html docs $(SITE) --quiet --nitpicky --fail-on-warning --fresh-env

packages:
	@sh tests/install-packages.sh

$(VENV)/bin/python:
	@sh tests/make-venv.sh $(PYTHON) $(VENV)

$(VENV)/run.stamp: requirements.txt requirements-build.txt $(VENV)/bin/python
	$(INSTALL) --require-hashes -r requirements.txt -r requirements-build.txt
	@touch $@

$(VENV)/bin/botd: pyproject.toml $(VENV)/run.stamp
	$(INSTALL) --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/dev.stamp: requirements-dev.txt $(VENV)/bin/python
	$(INSTALL) --require-hashes -r requirements-dev.txt
	@touch $@ $(VENV)/run.stamp

clean:
	rm -rf $(VENV) build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
