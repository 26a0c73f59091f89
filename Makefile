# The only commands a newcomer needs. Every target is safe to repeat.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

INVENTORY ?= inventories/local
VENV := .venv
PLAYBOOK = $(VENV)/bin/ansible-playbook -i $(INVENTORY) $(BECOME) $(ARGS)
# Not root and no sudo without a password: Ansible asks for it.
BECOME = $$(test "$$(id -u)" = 0 || sudo -n true 2>/dev/null || echo --ask-become-pass)
DATA ?=
ENGINE ?=
COMPONENT ?=
FORMAT ?= table
APPLICATION ?=
RELEASE ?=
WITH ?=
WITH_FILE = $(INVENTORY)/with.yml
comma := ,
# The one application that a command is about, and its release.
RELEASED = $(if $(APPLICATION),-e app_blue_green_only=$(APPLICATION)) $(if $(RELEASE),-e app_blue_green_release=$(RELEASE))

.PHONY: help venv up down status check drift deploy rollback history test test-full bench reference prove clean

help: ## show this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1|\2/' | column -t -s '|' 2>/dev/null \
	  || grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST)

venv: $(VENV)/.runtime ## make the Python environment in .venv, and nothing else

# What WITH names is kept beside the inventory, because every later command is about it too.
up: $(VENV)/.runtime ## install what is missing and converge this machine (inventories/local); WITH=kafka,elk: and these, until WITH=none
	@$(if $(WITH),set -- $(subst $(comma), ,$(filter-out none,$(WITH))); \
	  for component in "$$@"; do grep -q "^$$component:" $(INVENTORY)/hosts.yml \
	    || { echo "WITH=$$component: $(INVENTORY)/hosts.yml names no such component." >&2; exit 1; }; done; \
	  rm -f $(WITH_FILE); \
	  for component in "$$@"; do test -e $(WITH_FILE) || echo --- > $(WITH_FILE); \
	    echo "$$component: {hosts: {local: }}" >> $(WITH_FILE); done)
	@$(PLAYBOOK) site.yml

check: $(VENV)/.runtime ## say what `up` would change, and change nothing
	@$(PLAYBOOK) site.yml --check --diff

# make itself ends with 2 for drift and for an error; ansible-playbook tells them apart (docs/operations.md).
drift: $(VENV)/.runtime ## report what is not as declared: a table, and a page and JSON in .cache/drift
	@$(PLAYBOOK) playbooks/drift.yml --check

status: $(VENV)/.runtime ## one table of what runs (FORMAT=json: one JSON document)
	@$(PLAYBOOK) playbooks/status.yml -e status_format=$(FORMAT)

deploy: $(VENV)/.runtime ## deploy the applications alone, or one: APPLICATION=shop RELEASE=1.4.2 (or what the inventory declares)
	@$(PLAYBOOK) playbooks/deploy.yml $(RELEASED)

rollback: $(VENV)/.runtime ## back to the release that served before, or to RELEASE=1.4.1 (several applications: APPLICATION=shop)
	@$(PLAYBOOK) playbooks/rollback.yml $(RELEASED)

history: $(VENV)/.runtime ## what was deployed, when, by whom, and what became of it (APPLICATION=shop, FORMAT=json)
	@$(PLAYBOOK) playbooks/history.yml -e status_format=$(FORMAT) $(RELEASED)

down: $(VENV)/.runtime ## remove what `up` made, or one COMPONENT; asks before data goes (DATA=delete does not ask, DATA=keep keeps it)
	@$(PLAYBOOK) playbooks/teardown.yml \
	  $(if $(DATA),-e teardown_data=$(DATA)) $(if $(COMPONENT),-e '{"teardown_only": ["$(COMPONENT)"]}') $(if $(ENGINE),-e teardown_engine=$(ENGINE))

test: $(VENV)/.development ## all tests; installs what they need (an engine, packages), says what it skips and why
	@$(VENV)/bin/python tests/run.py

test-full: $(VENV)/.development ## the same, and the proofs that take too long for it
	@$(VENV)/bin/python tests/run.py --full

bench: $(VENV)/.development ## measure; prints a table, asserts nothing
	@$(VENV)/bin/python tests/bench/run.py
	@$(VENV)/bin/python tests/bench/grants.py
	@$(VENV)/bin/python tests/bench/releases.py

reference: $(VENV)/.development ## write docs/reference anew, from argument specs and documentation
	@$(VENV)/bin/python tests/reference.py

prove: ## list the promises that can be proved (they need Docker and mmdebstrap, which `make test` installs)
	@echo "make prove-site    the platform from nothing: up, HTTPS, second run, check mode, down"
	@echo "make prove-drift   every kind of drift is named, healed and stays healed; killed runs are finished"
	@echo "make prove-certificates   certificates come, change and go wrong, and every handshake succeeds"
	@echo "make prove-grants  MySQL's accounts are exactly as declared, and what the stores acknowledged is kept"
	@echo "make prove-releases   no request is lost in deploys, rollbacks, failing deploys, kills"
	@echo "make prove-monitoring   everything is seen, somebody is told of it, and of its end, once"
	@echo "make prove-kafka   topics and users are exactly as declared, and what the broker acknowledged is kept"
	@echo "make prove-elk     documents land as declared, are found in Korean, age out, and survive kill -9"
	@echo "make prove-ci      a commit becomes a release that serves, by examples/pipeline, and a failing test stops it"
	@echo "make prove-notifier   Mattermost is told what happens in GitLab: once, in order, and nothing else"
	@echo "make prove-upgrade   the previous release, then this one: nothing is lost, nothing restarted, nobody goes back"
	@echo "make prove-production   inventories/prod on three hosts over SSH: secrets, ports, faults of a run, teardown"
	@echo "make prove-spring  20 deployments of a Spring Boot service under load, over TLS to MySQL"

prove-%: $(VENV)/.development
	@$(VENV)/bin/python tests/prove/$*.py $(if $(ON),--on $(ON))

clean: ## remove the Python environment and caches; the platform stays
	rm -rf $(VENV) .cache .pytest_cache .ruff_cache

# The stamps hold the pins that are installed: nothing is asked of an index
# while they are the same.
$(VENV)/.runtime: requirements.txt | $(VENV)/bin/pip
	@echo "Installing requirements.txt into $(VENV)"
	@$(VENV)/bin/python -m pip install --progress-bar off --disable-pip-version-check -r requirements.txt
	@touch $@

$(VENV)/.development: requirements-dev.txt requirements.txt | $(VENV)/bin/pip
	@echo "Installing requirements-dev.txt into $(VENV)"
	@$(VENV)/bin/python -m pip install --progress-bar off --disable-pip-version-check -r requirements-dev.txt
	@touch $@ $(VENV)/.runtime

# pip comes last when an environment is made, so a half-made one is made again.
# The first Python that is new enough and can make an environment; Debian keeps
# the latter in a package of its own.
$(VENV)/bin/pip:
	@usable() { "$$1" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; }; \
	find_python() { \
	  for python in $(PYTHON) python3 /usr/bin/python3 python3.13 python3.12 python3.11; do \
	    if usable "$$python"; then echo "$$python"; return; fi; \
	  done; \
	}; \
	as_root() { if [ "$$(id -u)" = 0 ]; then "$$@"; else sudo "$$@"; fi; }; \
	python=$$(find_python); \
	if [ -z "$$python" ]; then \
	  echo "Installing python3-venv with apt"; \
	  as_root apt-get update -q; \
	  as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends python3 python3-venv; \
	  python=$$(find_python); \
	fi; \
	if [ -z "$$python" ]; then \
	  echo "No Python 3.11 or newer found; name one with 'make up PYTHON=/path/to/python3'." >&2; exit 1; \
	fi; \
	echo "Making $(VENV) with $$python"; \
	"$$python" -m venv --clear $(VENV)
