# One list of commands, for people and for CI. Needs Python >= 3.11, git and make; all else is installed here.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
ENV ?= dev
ROUNDS ?= 5
MESSAGES ?= 1000

export PATH := $(CURDIR)/$(BIN):$(PATH)
export JSII_SILENCE_WARNING_END_OF_LIFE_NODE_VERSION := 20

.DEFAULT_GOAL := help
.PHONY: help setup demo local send ops dashboard synth test plan faults bench letters package docs surface check format lock clean

help: ## this list
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-9s %s\n", $$1, $$2}'

$(VENV)/.synth: requirements.txt constraints.txt
	@echo "setting up Python packages for synth …"
	@test -x $(BIN)/uv || ($(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "Python 3.11 or newer is needed; 'make PYTHON=/path/to/python3' names another"; exit 1; }; \
		$(PYTHON) -m venv $(VENV) && $(BIN)/python -m pip install --quiet --disable-pip-version-check "$$(grep -o '^uv==[0-9.]*' requirements.txt)")
	@$(BIN)/uv pip install --quiet --python $(BIN)/python -r requirements.txt -c constraints.txt
	@touch $@

$(VENV)/.dev: $(VENV)/.synth requirements-dev.txt lambda_src/requirements.txt local/requirements-client.txt ops/requirements.txt
	@echo "setting up Python packages for tests, checks and the local cloud …"
	@$(BIN)/uv pip install --quiet --python $(BIN)/python -r requirements-dev.txt -r lambda_src/requirements.txt -r local/requirements-client.txt -r ops/requirements.txt -c constraints.txt
	@touch $@

.venv-cloud/.ready: $(VENV)/.synth local/requirements.txt local/constraints.txt
	@echo "setting up the embedded AWS …"
	@$(BIN)/uv venv --quiet --clear --python $(BIN)/python .venv-cloud
	@$(BIN)/uv pip install --quiet --compile-bytecode --python .venv-cloud/bin/python -r local/requirements.txt -c local/constraints.txt
	@touch $@

node_modules/.ready: $(VENV)/.synth package.json package-lock.json
	@echo "setting up the CDK's command line …"
	@npm ci --silent --no-audit --no-fund
	@touch $@

setup: $(VENV)/.dev .venv-cloud/.ready node_modules/.ready ## install everything (the other commands do it by themselves)

demo: setup ## deploy to the embedded AWS, and watch messages travel, fail and recover
	@$(BIN)/python -m local demo

local: setup ## keep the local cloud running until Ctrl-C
	@$(BIN)/python -m local up

send: setup ## CONTEXT=path/to/context.json: send one context object through the local cloud
	@$(BIN)/python -m local send "$(CONTEXT)"

ops: setup ## ARGS='status --env dev': the operator's command line (ARGS=--help lists its commands)
	@$(BIN)/python -m ops $(ARGS)

dashboard: setup ## draw docs/dashboard.png anew: the deployed dashboard over a run of the local cloud
	@$(BIN)/python -m local dashboard

synth: $(VENV)/.synth node_modules/.ready ## ENV=dev|staging|prod: synthesize an environment into cdk.out
	@node_modules/.bin/cdk synth --no-notices --quiet -c env=$(ENV) && echo "templates of $(ENV) are in cdk.out"

test: setup ## every test, offline, without credentials
	@$(BIN)/python -m tests

plan: setup ## LOAD="--messages-per-day 1000000 …": which calls a load takes, what limits it, what it costs
	@$(BIN)/python -m planner plan $(LOAD)

faults: setup ## the full proof that no message is lost and none is sent twice (half an hour)
	@$(BIN)/python -m tests.faults

bench: setup ## ROUNDS=5 MESSAGES=1000: speed, weight and cost beside other handlers' (ten minutes)
	@$(BIN)/python -m benchmarks --rounds $(ROUNDS) --messages $(MESSAGES)

package: setup ## build the distribution of the constructs into dist/, and check it
	@$(BIN)/python -m distribution package

docs: setup ## build the API pages into docs/api/
	@$(BIN)/python -m distribution pages

surface: setup ## record the public surface, after a change of it that is meant
	@$(BIN)/python -m distribution surface

letters: setup ## two thousand dead letters of every kind, redriven in one go
	@DEAD_LETTERS=2000 $(BIN)/python -m pytest -q -n 0 tests/ops/test_mixture.py

check: setup ## formatting, linting, strict types, import rules, workflows
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/zizmor --offline --quiet --persona pedantic .github
	@$(BIN)/check-jsonschema --builtin-schema vendor.github-workflows .github/workflows/*.yml
	@$(BIN)/check-jsonschema --builtin-schema vendor.github-actions .github/actions/*/action.yml

format: setup ## put the code into shape
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

lock: $(VENV)/.synth ## write constraints.txt and the other lock files anew
	@$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --no-header -o constraints.txt \
		requirements.txt requirements-dev.txt lambda_src/requirements.txt local/requirements-client.txt ops/requirements.txt
	@$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --no-header -o local/constraints.txt local/requirements.txt
	@$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --no-header --generate-hashes -o lambda_src/requirements.lock lambda_src/requirements.txt

clean: ## remove what the commands made
	@rm -rf $(VENV) .venv-cloud .venv-function node_modules cdk.out .build .cache
