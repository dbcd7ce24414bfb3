# Everything from nothing: each target first installs what it needs into .venv, once, from pinned and hashed
# requirements. Needed beforehand: Linux, make, bash and Python 3.13 (`pyenv install 3.13`; uv fetches it by itself).

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help

PYTHON := .venv/bin/python
SAM := .venv/tools/sam/bin/sam
TOOLS := .venv/marks/dev .venv/marks/sam .venv/marks/ministack .venv/marks/awscli .venv/layer/complete
CHECKOV := .venv/tools/checkov/bin/checkov
ENV ?= default
# What is only looked at needs no credentials, and a profile that is set and does not exist stops even that
NO_PROFILE := env -u AWS_PROFILE -u AWS_DEFAULT_PROFILE

export PATH := $(CURDIR)/.venv/bin:$(PATH)
export SAM_CLI_TELEMETRY := 0
# uv brings certificates of its own; a company's proxy is known to the system's store, as it is to pip
export UV_SYSTEM_CERTS := 1

ifneq ($(filter-out help env,$(MAKECMDGOALS)),)
ifneq ($(shell [ -w . ] || echo not),)
$(error This folder cannot be written to, and everything is installed into it: $(CURDIR))
endif
endif

.PHONY: help
help: ## Show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "make %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# --- Use -------------------------------------------------------------------------------------------------------

.PHONY: demo
demo: $(TOOLS) ## Show the whole path on this machine, from nothing: a send, its reports, an MO
	@$(PYTHON) -m local demo

.PHONY: up
up: $(TOOLS) .venv/marks/console ## Start the same local stack and its console, and leave them running
	@$(PYTHON) -m local up

.PHONY: env
env: ## Print the export lines of the stack of `make up`, for a shell to eval
	@[ -x $(PYTHON) ] || { echo 'No local stack is up; `make up` starts one.' >&2; exit 1; }
	@$(PYTHON) -m local env

.PHONY: console
console: .venv/marks/dev ## Print the link to the console of the stack of `make up`, for one more browser
	@$(PYTHON) -m local console

.PHONY: down
down: .venv/marks/dev ## Stop what `make up` started
	@$(PYTHON) -m local down

.PHONY: deploy
deploy: .venv/marks/dev .venv/marks/sam ## Deploy to a real account; ENV=prod for production, YES=1 asks nothing
	@$(PYTHON) -m local.deploy --env $(ENV) --arch '$(ARCH)' $(if $(YES),--yes) -- $(SET)

# --- Check -----------------------------------------------------------------------------------------------------

.PHONY: test
test: $(TOOLS) .venv/marks/browser ## Run all tests
	@echo "All tests, in two processes: half an hour. What is not run is listed at the end, with the reason."
	@$(PYTHON) -m pytest --numprocesses 2 --dist loadscope

.PHONY: check
# SAM asks for a region even when it only looks at the template
check: export AWS_DEFAULT_REGION ?= us-east-1
check: $(TOOLS) .venv/marks/checkov .venv/marks/browser ## Check formatting, lint, types, the templates and their security
	ruff format --check .
	ruff check .
	mypy
	@# one after the other: with several regions at once, what a parameter can be is multiplied by them
	for region in us-east-1 eu-central-1 ap-southeast-1 cn-north-1 cn-northwest-1; do \
		cfn-lint --regions $$region -- template.yaml network/*.yaml monitoring/*.yaml; \
	done
	$(NO_PROFILE) $(SAM) validate --lint
	$(CHECKOV) --config-file .checkov.yaml

.PHONY: chaos
chaos: $(TOOLS) ## Run the fault campaign at full length, with progress
	@CHAOS=full $(PYTHON) -m pytest --numprocesses 2 --dist worksteal -rP tests/chaos

.PHONY: pictures
pictures: .venv/marks/browser ## Take the pictures of the console for the pages anew, of made-up data
	@$(PYTHON) -m tests.console.pictures docs/pictures

.PHONY: mutants
mutants: .venv/marks/dev ## Show which deliberate faults no test notices; MODULE=core/ledger tries one whole, ALL=1 all
	@$(PYTHON) -m tests.mutants $(if $(ALL),--all) $(if $(MODULE),--module $(MODULE)) $(if $(SAMPLE),--sample $(SAMPLE)) $(if $(SEED),--seed $(SEED))

.PHONY: bench
bench: $(TOOLS) ## Run the benchmarks, each a ratio against its own baseline; PART=known_limit runs one alone
	@$(PYTHON) -m tests.bench $(PART)

# --- Tools -----------------------------------------------------------------------------------------------------
# Five environments: MiniStack holds SAM back to an old version, and its Lambdas see what is installed beside it;
# checkov pins an old boto3, the AWS CLI one of its own.
# Compiled bytecode halves the emulator's start and the functions' cold starts.

UV := .venv/bin/uv
SYNC := $(UV) pip sync --quiet --require-hashes --compile-bytecode
# uv does not read pip's settings; a mirror that is set for pip is meant for it too
MIRROR = $${UV_DEFAULT_INDEX:-$${PIP_INDEX_URL:-$$($(PYTHON) -m pip config get global.index-url 2>/dev/null || true)}}

# What is installed knows the folder that it was installed in
MOVED := $(shell [ ! -e .venv/marks/place ] || grep -qxF "$(CURDIR)" .venv/marks/place || echo moved)

WHAT_dev := Python packages of the simulator, the local stack and the tests, 400 MB
WHAT_sam := AWS SAM CLI, 310 MB
WHAT_ministack := MiniStack, which emulates AWS, 100 MB
WHAT_console := NiceGUI, the console's pages, 80 MB
WHAT_browser := Playwright, which drives a browser for the tests, 190 MB
WHAT_awscli := AWS CLI, for machines that have none, 170 MB
WHAT_checkov := checkov, 250 MB

.PHONY: moved
.venv/marks/uv: requirements/uv.txt $(MOVED)
	@echo "Installing tools into .venv: once, one to five minutes, 1 GB of disk$(if $(MOVED),; the folder has moved)"
	@$(if $(MOVED),rm -rf .venv)
	@$(PYTHON) -m pip --version >/dev/null 2>&1 || { rm -rf .venv; "$$(requirements/find-python.sh)" -m venv .venv; }
	@$(PYTHON) -m pip install --quiet --disable-pip-version-check --require-hashes --requirement $<
	@mkdir -p $(@D) && echo "$(CURDIR)" > $(@D)/place && touch $@

.venv/marks/dev: requirements/dev.txt requirements/kxt.sh .venv/marks/uv
	@echo "  $(WHAT_dev) …"
	@export UV_DEFAULT_INDEX="$(MIRROR)" && $(SYNC) --python $(PYTHON) $<
	@echo "$(CURDIR)/layers/kuaixintong" > "$$($(PYTHON) -c 'import site; print(site.getsitepackages()[0])')/layer.pth"
	@mkdir -p .venv/commands && install -m 755 requirements/kxt.sh .venv/commands/kxt
	@ln -sf ../commands/kxt .venv/bin/kxt
	@touch $@

# They are put beside what the tests have, and pinned to agree with it
.venv/marks/console: requirements/console.txt .venv/marks/dev
.venv/marks/browser: requirements/browser.txt .venv/marks/console
.venv/marks/console .venv/marks/browser:
	@echo "  $(WHAT_$(@F)) …"
	@export UV_DEFAULT_INDEX="$(MIRROR)" && $(UV) pip install --quiet --require-hashes --compile-bytecode \
		--python $(PYTHON) --requirement $<
	@$(if $(filter browser,$(@F)),requirements/find-browser.sh >/dev/null || echo "  No Chromium: tests in a browser are skipped.")
	@touch $@

.venv/marks/%: requirements/%.txt .venv/marks/uv
	@echo "  $(WHAT_$*) …"
	@$(UV) venv --quiet --allow-existing --python $(PYTHON) .venv/tools/$*
	@export UV_DEFAULT_INDEX="$(MIRROR)" && $(SYNC) --python .venv/tools/$* $<
	@touch $@

# The layer's packages lie ready for `sam build`, which therefore needs no network, no mirror and no proxy
.venv/layer/complete: layers/kuaixintong/requirements.txt .venv/marks/uv
	@echo "  Packages of the Lambda layer …"
	@rm -rf $(@D) && mkdir $(@D)
	@$(PYTHON) -m pip download --quiet --disable-pip-version-check --require-hashes --no-deps --only-binary :all: \
		--dest $(@D) --requirement $<
	@touch $@

COMPILE = $(UV) pip compile --quiet --upgrade --universal --python-version 3.13 --generate-hashes --no-header \
	--no-emit-index-url

.PHONY: requirements
requirements: .venv/marks/uv ## Pin every requirement anew, at its newest version
	@for file in layers/kuaixintong/requirements requirements/{uv,dev,console,browser,sam,ministack,awscli,checkov}; do \
		$(COMPILE) $$file.in --output-file $$file.txt; \
	done

.PHONY: clean
clean: $(if $(wildcard .local/*/state.json),.venv/marks/dev) ## Stop the local stack and remove everything made, .venv included
	@$(if $(wildcard .local/*/state.json),$(PYTHON) -m local vacate)
	rm -rf .venv .aws-sam .local .pytest_cache .mypy_cache .ruff_cache .hypothesis
