# Everything from nothing: each target first installs what it needs into .venv, once, from pinned and hashed
# requirements. Needed beforehand: make, bash and Python 3.13 (or pyenv or uv, which know how to get it).

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help

PYTHON := .venv/bin/python
SAM := .venv/tools/sam/bin/sam
TOOLS := .venv/marks/dev .venv/marks/sam .venv/marks/ministack
CHECKOV := .venv/tools/checkov/bin/checkov
ENV ?= default

export PATH := $(CURDIR)/.venv/bin:$(PATH)
# SAM asks for a region even when it only looks at the template
export AWS_DEFAULT_REGION ?= us-east-1
export SAM_CLI_TELEMETRY := 0
# uv brings certificates of its own; a company's proxy is known to the system's store, as it is to pip
export UV_SYSTEM_CERTS := 1

.PHONY: help
help: ## Show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "make %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# --- Use -------------------------------------------------------------------------------------------------------

.PHONY: demo
demo: $(TOOLS) ## Show the whole path on this machine, from nothing: a send, its reports, an MO
	@$(PYTHON) -m local.demo

.PHONY: up
up: $(TOOLS) ## Start the same local stack and leave it running
	@$(PYTHON) -m local.up

.PHONY: down
down: $(TOOLS) ## Stop what `make up` started
	@$(PYTHON) -m local.down

.PHONY: deploy
deploy: $(TOOLS) ## Deploy to a real account, guided; ENV=prod takes samconfig.toml's prod
	$(SAM) build --config-env $(ENV)
	$(SAM) deploy --guided --config-env $(ENV)

# --- Check -----------------------------------------------------------------------------------------------------

.PHONY: test
test: $(TOOLS) ## Run all tests
	@$(PYTHON) -m pytest --numprocesses 2 --dist loadgroup

.PHONY: check
check: $(TOOLS) .venv/marks/checkov ## Check formatting, lint, types, the templates and their security
	ruff format --check .
	ruff check .
	mypy
	cfn-lint --regions us-east-1 eu-central-1 ap-southeast-1 cn-north-1 cn-northwest-1 -- template.yaml network/*.yaml \
		monitoring/*.yaml
	$(SAM) validate --lint
	$(CHECKOV) --config-file .checkov.yaml

.PHONY: chaos
chaos: $(TOOLS) ## Run the fault campaign at full length
	@CHAOS=full $(PYTHON) -m pytest --numprocesses 2 -rP tests/chaos

.PHONY: bench
bench: $(TOOLS) ## Run the benchmarks, each a ratio against its own baseline
	@$(PYTHON) -m tests.bench

# --- Tools -----------------------------------------------------------------------------------------------------
# Four environments: MiniStack holds SAM back to an old version, and its Lambdas see what is installed beside it;
# checkov pins an old boto3.
# Compiled bytecode halves the emulator's start and the functions' cold starts.

UV := .venv/bin/uv
SYNC := $(UV) pip sync --quiet --require-hashes --compile-bytecode
# uv does not read pip's settings; a mirror that is set for pip is meant for it too
MIRROR = $${UV_DEFAULT_INDEX:-$${PIP_INDEX_URL:-$$($(PYTHON) -m pip config get global.index-url 2>/dev/null || true)}}

.venv/marks/uv: requirements/uv.txt
	@echo "Installing tools into .venv"
	@[ -x $(PYTHON) ] || "$$(requirements/find-python.sh)" -m venv .venv
	@$(PYTHON) -m pip install --quiet --disable-pip-version-check --require-hashes --requirement $<
	@mkdir -p $(@D) && touch $@

.venv/marks/dev: requirements/dev.txt .venv/marks/uv
	@export UV_DEFAULT_INDEX="$(MIRROR)" && $(SYNC) --python $(PYTHON) $<
	@echo "$(CURDIR)/layers/kuaixintong" > "$$($(PYTHON) -c 'import site; print(site.getsitepackages()[0])')/layer.pth"
	@touch $@

.venv/marks/%: requirements/%.txt .venv/marks/uv
	@$(UV) venv --quiet --allow-existing --python $(PYTHON) .venv/tools/$*
	@export UV_DEFAULT_INDEX="$(MIRROR)" && $(SYNC) --python .venv/tools/$* $<
	@touch $@

COMPILE = $(UV) pip compile --quiet --upgrade --universal --python-version 3.13 --generate-hashes --no-header \
	--no-emit-index-url

.PHONY: requirements
requirements: .venv/marks/uv ## Pin every requirement anew, at its newest version
	@for file in layers/kuaixintong/requirements requirements/{uv,dev,sam,ministack,checkov}; do \
		$(COMPILE) $$file.in --output-file $$file.txt; \
	done

.PHONY: clean
clean: ## Remove everything that the targets made, .venv included
	rm -rf .venv .aws-sam .local .pytest_cache .mypy_cache .ruff_cache .hypothesis
