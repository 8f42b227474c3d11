# `make help` lists the commands. Everything is installed into .venv of this folder and nowhere else.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
PROJECTS := pyproject.toml stream_package/pyproject.toml chroma_package/pyproject.toml
OWN := -e ./stream_package -e ./chroma_package -e .
HAS_NODE := $(and $(shell command -v node),$(shell command -v npx))
RUN_LOCKS := locks/run.txt
DEV_LOCKS := $(RUN_LOCKS) locks/dev.txt $(if $(HAS_NODE),,locks/node.txt)
CDK_LOCKS := $(DEV_LOCKS) locks/cdk.txt
UV := $(VENV)/uv/bin/uv
ASL := state_machines/compaction.asl.json
ASL_VALIDATOR := $(VENV)/asl-validator
PYTHONS := 3.11 3.12 3.13 3.14
MINISTACK := $(VENV)/ministack
LANCE := $(VENV)/lancedb
FOLDER ?= dist/bench
MINUTES ?= 5
RECEIPTS ?= 40
SHARDS ?= 1
SEEDS ?= 100
STAGE ?= dev
TWO_AT_ONCE := -n 2 --dist loadfile
# Each part is a target of its own; one that fails ends `make test`, and is named. The first ones take a core each.
TEST_PARTS_OF_ONE_CORE := types lint format-check lint-machine test-light
TEST_PARTS := test-light-aws test-heavy test-house test-browser-if-any
SIDE_BY_SIDE := -j 2 $(if $(filter output-sync,$(.FEATURES)),--output-sync=target)
CHROMIUM := $(shell command -v chromium || command -v chromium-browser || command -v google-chrome)

.DEFAULT_GOAL := help
.PHONY: help run up test lint format-check types lint-machine test-light test-light-aws test-heavy test-house test-browser-if-any test-browser test-slow fuzz simulate soak conformance watch recordings spec test-pythons check format lock picture screenshots screencast bench bench-publish bench-reshard bench-freshness bench-campaign bench-adopt bench-stream bench-packages zip synth check-cdk test-template pin-image set-version clean

help: ## list the commands
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-15s %s\n", $$1, $$2}'

run: $(STAMP) ## install, then run the whole machine on sample receipts: RECEIPTS=40 SHARDS=1
	$(BIN)/compaction demo --receipts $(RECEIPTS) --shards $(SHARDS)

up: $(STAMP) ## install, then keep the local stack up until Ctrl-C: SAMPLE=20 KEEP=1 SHARDS=1
	$(BIN)/compaction up --shards $(SHARDS) $(if $(SAMPLE),--sample $(SAMPLE)) $(if $(KEEP),--keep)

test: $(VENV)/.installed-dev ## install, lint, check types, run all fast tests; in a browser too where there is Chromium
	@$(MAKE) --no-print-directory $(SIDE_BY_SIDE) $(TEST_PARTS_OF_ONE_CORE:%=part-%)
	@for part in $(TEST_PARTS); do $(MAKE) --no-print-directory part-$$part || exit 1; done
	@echo "make test: all parts passed"

part-%: $(VENV)/.installed-dev
	@echo "make test: $*"
	@$(MAKE) --no-print-directory $* || { echo 'make test: part "$*" failed; `make $*` runs it alone' >&2; exit 1; }

lint: $(VENV)/.installed-dev ## part of test: ruff
	$(BIN)/ruff check .

format-check: $(VENV)/.installed-dev ## part of test: is everything formatted
	$(BIN)/ruff format --check .

types: $(VENV)/.installed-dev ## part of test: mypy, strict
	$(BIN)/mypy -p receipt_dynamo_stream -p receipt_chroma -p handlers -p local -p operate -p console

lint-machine: $(VENV)/.installed-dev ## part of test: the state machine's file, by two linters
	$(BIN)/statelint $(ASL)
	@PATH="$$PATH:$(CURDIR)/$(BIN)"; mkdir -p $(ASL_VALIDATOR); cp locks/npm/*.json $(ASL_VALIDATOR); \
	if test $(ASL_VALIDATOR)/.installed -nt locks/npm/package-lock.json \
		|| npm ci --prefix $(ASL_VALIDATOR) --loglevel error --ignore-scripts --no-audit --no-fund; \
	then touch $(ASL_VALIDATOR)/.installed; \
		echo "asl-validator $(ASL)"; $(ASL_VALIDATOR)/node_modules/.bin/asl-validator --json-path $(ASL); \
	else echo "Left out: asl-validator, which npm could not bring."; fi

test-light: $(VENV)/.installed-dev ## part of test: the light package
	$(BIN)/python -m pytest stream_package/tests

test-light-aws: $(VENV)/.installed-dev ## part of test: the light package against moto
	$(BIN)/python -m pytest stream_package/tests -m aws $(TWO_AT_ONCE)

test-heavy: $(VENV)/.installed-dev ## part of test: the heavy package
	$(BIN)/python -m pytest chroma_package/tests $(TWO_AT_ONCE)

test-house: $(VENV)/.installed-dev ## part of test: everything around the packages
	$(BIN)/python -m pytest tests -n 2 --dist loadscope --no-loadscope-reorder

test-browser-if-any: $(VENV)/.installed-dev
ifneq ($(CHROMIUM),)
	$(BIN)/python -m pytest tests/browser -m "browser and not slow" $(TWO_AT_ONCE)
else
	@echo "Left out: the tests of the console in a browser. \`apt-get install chromium\`, then \`make test-browser\`."
endif

test-browser: $(VENV)/.installed-dev ## the console in a real browser, on the local stack, with every page: needs Chromium
	$(BIN)/python -m pytest tests/browser -m browser $(TWO_AT_ONCE)

test-slow: $(VENV)/.installed-dev ## the tests that take longer: full-size demo, 100,000 fuzz cases, bare installs
	$(BIN)/python -m pytest stream_package/tests -m slow --timeout 1800
	$(BIN)/python -m pytest chroma_package/tests -m slow --timeout 1800
	$(BIN)/python -m pytest tests -m "slow and not browser" --timeout 1800

conformance: $(STAMP) ## make docs/conformance.md of the newest reports in docs/conformance
	$(BIN)/python -m operate.conform.page

fuzz: $(VENV)/.installed-dev ## 100,000 deltas of a stranger; part of test-slow as well
	$(BIN)/python -m pytest chroma_package/tests/delta/test_fuzz_deltas.py -m slow --timeout 7200

simulate: $(VENV)/.installed-dev ## random histories of the whole machine: SEEDS=1000, SEEDS=7..8 for one, REPLAY=SCRIPT
	$(BIN)/python -m tests.simulator $(if $(REPLAY),--replay '$(REPLAY)',$(SEEDS))

soak: $(VENV)/.installed-dev ## load, real faults and readers on the local stack: MINUTES=30 SEED=7
	$(BIN)/python -m tests.soak $(if $(filter command line,$(origin MINUTES)),$(MINUTES),30) --seed $(or $(SEED),7)

watch: $(VENV)/.installed-dev ## a page that plays a trial of the simulator: SEED=7, or TRIAL="CURRENT goes back"
	$(BIN)/python -m tests.simulator.watched "$(or $(SEED),$(TRIAL),publication)"

recordings: $(VENV)/.installed-dev ## record anew what comes with the console and docs/watch
	$(BIN)/python -m tests.simulator.watched --all

spec: $(VENV)/.installed-dev ## search the models of the protocol: every state within their bounds, each guard left out
	$(BIN)/python docs/spec

check: lint format-check types lint-machine check-cdk ## what needs no test run: lint, format, types, the machine, the CDK app

test-pythons: $(VENV)/.installed-dev ## the light package's tests, and that all imports, with each Python that is here: PYTHONS=3.13
	$(BIN)/python -m tests.pythons $(PYTHONS)

format: $(VENV)/.installed-dev ## format the code
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(STAMP) ## compare the merge with the naive way, in ratios of one run
	$(BIN)/python benchmarks/merge.py

bench-publish: $(STAMP) $(LANCE)/.installed ## what one publication costs, beside a new base each time and LanceDB: FOLDER=dist/bench
	$(BIN)/python benchmarks/publish.py --folder $(FOLDER)

bench-reshard: $(STAMP) ## what a re-shard from 1 to 4 and back costs, beside a fold of the same records: FOLDER=dist/bench
	$(BIN)/python benchmarks/reshard.py --folder $(FOLDER)

bench-freshness: $(STAMP) ## how long a change takes to be visible on the local stack: MINUTES=5 FOLDER=dist/bench
	$(BIN)/python benchmarks/freshness.py --folder $(FOLDER) --minutes $(MINUTES)

bench-campaign: $(STAMP) ## another embedding model under traffic on the local stack: RECEIPTS=805
	$(BIN)/python benchmarks/campaign.py --receipts $(if $(filter command line,$(origin RECEIPTS)),$(RECEIPTS),805)

bench-adopt: $(VENV)/.installed-dev ## what adopting an old directory takes, beside chromadb's own reading of it: RECEIPTS=805
	$(BIN)/python benchmarks/adopt.py --receipts $(if $(filter command line,$(origin RECEIPTS)),$(RECEIPTS),805)

bench-packages: $(VENV)/.installed-dev ## what the two packages promise: sizes, imports of each function, tests, price
	$(BIN)/python benchmarks/packages.py

bench-stream: $(STAMP) ## how fast and how small the stream side is
	$(BIN)/python benchmarks/stream.py

zip: $(STAMP) ## build dist/stream.zip, the code of the light functions
	$(BIN)/python handlers/build_zip.py

synth: $(VENV)/.installed-cdk zip ## the CloudFormation template, in dist/cdk.out: STAGE=dev
	$(BIN)/python cdk/app.py stage=$(STAGE)

check-cdk: synth ## check the CDK app, its template and the image
	$(BIN)/mypy -p compaction_cdk
	$(BIN)/mypy cdk/app.py cdk/lint.py cdk/cost.py cdk/crossover.py cdk/pin_image.py
	$(BIN)/python cdk/lint.py dist/cdk.out/receipt-compaction-$(STAGE).template.json
	$(BIN)/hadolint handlers/Dockerfile examples/search_lambda/Dockerfile
	$(BIN)/python cdk/cost.py --check
	$(BIN)/python cdk/crossover.py --check
	$(BIN)/python -m pytest tests/cdk tests/howto -m cdk --timeout 600

test-template: $(VENV)/.installed-cdk $(MINISTACK)/bin/ministack ## deploy the template to an emulator and run it
	$(BIN)/python -m pytest tests/cdk -m template --timeout 600

pin-image: ## pin the image's base to the digest that its tag has now; needs Docker
	$(PYTHON) cdk/pin_image.py

picture: $(STAMP) ## draw the state machine into its README
	$(BIN)/python state_machines/draw.py

screenshots: $(VENV)/.installed-dev ## take the pictures of the console in docs/console: needs Chromium
	$(BIN)/python -m docs.console.screenshots

screencast: $(VENV)/.installed-dev ## run the demo on a terminal, and draw docs/demo.svg of what it wrote there
	$(BIN)/python -m docs.screencast

set-version: ## write VERSION=X.Y.Z into every pyproject.toml, as the first step of a release
	@echo "$(VERSION)" | grep -Eqx '[0-9]+\.[0-9]+\.[0-9]+' || { echo "Say which: make set-version VERSION=0.2.0" >&2; exit 1; }
	sed -i.old 's/^version = ".*"$$/version = "$(VERSION)"/' pyproject.toml */pyproject.toml
	rm -f pyproject.toml.old */pyproject.toml.old

clean: ## remove what was installed and what the local stack left
	rm -rf $(VENV) .compaction dist

# uv where there is one, else pip alone. First what the locks name, each file proved by its hash; then our own
# distributions, built with the setuptools of the lock: nothing is resolved, and nothing comes that no lock names.
define install
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "Python 3.11 or newer is needed; this is $$($(PYTHON) --version). Try: make $(MAKECMDGOALS) PYTHON=python3.12"; exit 1; }
	@echo "Installing into $(VENV): about 400 MB of packages the first time, a minute or two."
	@if command -v uv >/dev/null; then \
		test -w "$$HOME" || export UV_NO_CACHE=1; \
		test -x $(BIN)/python || uv venv -q --allow-existing --python $$($(PYTHON) -c 'import sys; print(sys.executable)') $(VENV); \
		install="uv pip install -q --python $(BIN)/python"; \
	else \
		$(BIN)/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv $(VENV) || exit 1; \
		install="$(BIN)/python -m pip install -q --disable-pip-version-check --no-compile"; \
	fi; \
	$$install --no-deps --require-hashes $(addprefix -r ,$(1)) && $$install --no-deps --no-build-isolation $(OWN)
endef

$(STAMP): $(PROJECTS) $(RUN_LOCKS)
	$(call install,$(RUN_LOCKS))
	@touch $@

$(VENV)/.installed-dev: $(PROJECTS) $(DEV_LOCKS)
	$(call install,$(DEV_LOCKS))
	@touch $@ $(STAMP)

$(VENV)/.installed-cdk: $(PROJECTS) $(CDK_LOCKS)
	$(call install,$(CDK_LOCKS))
	@touch $@ $(STAMP) $(VENV)/.installed-dev

# One lock: $(1) is its file, $(2) its extra, $(3) the locks it comes on top of, whose packages it leaves out.
define lock
	printf -- '-e ./stream_package\n-e ./chroma_package\nsetuptools>=77\n' | $(LOCK) $(addprefix --extra ,$(2)) \
		$(addprefix -c ,$(3)) $$(sed -n 's/^\([a-z0-9._-]*\)==.*/--no-emit-package \1/p' $(3) /dev/null) \
		--no-emit-package receipt-dynamo-stream --no-emit-package receipt-chroma pyproject.toml - -o $(1)
endef
LOCK = $(UV) pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links \
	--no-annotate --custom-compile-command 'make lock' $(if $(UPGRADE),--upgrade)

lock: | $(UV) ## pin what the projects ask for, with hashes, in locks/: UPGRADE=1 takes newer versions
	$(call lock,locks/run.txt)
	$(call lock,locks/dev.txt,dev,locks/run.txt)
	$(call lock,locks/cdk.txt,cdk,locks/run.txt locks/dev.txt)
	$(call lock,locks/node.txt,node,locks/run.txt)
	$(LOCK) --no-deps -c locks/run.txt handlers/requirements.in -o handlers/requirements.txt

# An environment of its own, so that whoever locks has the same uv.
$(UV):
	$(PYTHON) -m venv $(VENV)/uv
	$(VENV)/uv/bin/python -m pip install -q --disable-pip-version-check uv==0.13.9

# An environment of its own: ministack pins botocore.
$(MINISTACK)/bin/ministack: | $(STAMP)
	$(PYTHON) -m venv $(MINISTACK)
	$(MINISTACK)/bin/python -m pip install -q --disable-pip-version-check ministack==1.5.33 boto3==1.43.106

# An environment of its own: only a benchmark compares with it.
$(LANCE)/.installed:
	$(PYTHON) -m venv $(LANCE)
	$(LANCE)/bin/python -m pip install -q --disable-pip-version-check lancedb==0.40.0
	@touch $@
