# Two commands matter: `make reproduce` runs the study and builds its book, `make test` checks everything.
PROFILE ?= default
PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.installed
# Hummingbot needs an environment of its own; its wheel is built once and kept.
BOT := .venv-hummingbot
BOT_READY := $(BOT)/.installed
BOT_CACHE ?= $(HOME)/.cache/perpfut
IMAGES ?= agent hummingbot research
PYTEST := $(BIN)/python -m pytest
NBVAL := --nbval --nbval-current-env --nbval-cell-timeout 1800
# One BLAS thread per process: numba, joblib and PyTorch bring their own parallelism.
export OPENBLAS_NUM_THREADS ?= 1

.DEFAULT_GOAL := setup
.PHONY: setup help hummingbot reproduce run book pdf test lint format tests tests-book test-hummingbot demo nbval notebooks images pin-images browser hooks clean distclean

setup: $(READY)  ## make .venv from requirements.lock (2-3 minutes, once)
	@echo "ready: $(BIN)/perpfut --help, or make help"

$(READY): requirements.lock pyproject.toml
	@command -v $(PYTHON) >/dev/null || { echo "make: no $(PYTHON); install Python 3.11 or name it: make PYTHON=..." >&2; exit 1; }
	@echo "installing $$(wc -l < requirements.lock) locked packages into $(VENV) (2-3 minutes, once)"
	test -x $(BIN)/python || $(PYTHON) -m venv --clear $(VENV)
	$(BIN)/python -m pip install -qq --disable-pip-version-check --no-deps -r requirements.lock
	$(BIN)/python -m pip install -qq --disable-pip-version-check --no-deps --no-build-isolation -e .
	$(BIN)/python -m pip check --disable-pip-version-check
	@touch $(READY)

hummingbot: $(BOT_READY)  ## make .venv-hummingbot: build Hummingbot's wheel (3-5 minutes, once) and install it

$(BOT_READY): agent/hummingbot/requirements.lock agent/hummingbot/install.sh
	agent/hummingbot/install.sh $(BOT) $(BOT_CACHE) $(PYTHON)

help:  ## show this list
	@grep -hE '^[a-z-]+:.*##' Makefile | sed -E 's/^([a-z-]+):.*## */\1|/' | awk -F'|' '{printf "  make %-12s %s\n", $$1, $$2}'

reproduce: $(READY)  ## run every chapter of PROFILE (default: default) and build its book
	$(BIN)/perpfut run --profile $(PROFILE) --book

run: $(READY)  ## run the chapters of PROFILE, without the book
	$(BIN)/perpfut run --profile $(PROFILE) --no-book

book: $(READY)  ## build the HTML book of PROFILE from its executed chapters
	$(BIN)/perpfut book --profile $(PROFILE)

pdf: $(READY)  ## print the book of PROFILE to a PDF file (needs Chromium)
	$(BIN)/perpfut book --profile $(PROFILE) --pdf

test: lint tests  ## set up, lint, and run all tests

lint: $(READY)  ## ruff, mypy and the import contract
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

format: $(READY)  ## let ruff mend what it can
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

tests: $(READY)  ## the tests alone, in two halves side by side; Hummingbot is built meanwhile and tested then
	@[ -z "$$CI" ] || $(MAKE) --no-print-directory browser
	@mkdir -p build; failed=0; \
	$(MAKE) --no-print-directory hummingbot > build/hummingbot.log 2>&1 & built=$$!; \
	$(MAKE) --no-print-directory tests-book > build/tests-book.log 2>&1 & told=$$!; \
	trap 'kill $$built $$told 2>/dev/null; exit 130' INT TERM; \
	$(PYTEST) --ignore=tests/hummingbot --ignore=tests/book --ignore=tests/notebooks || failed=1; \
	if wait $$built; then $(PYTEST) tests/hummingbot || failed=1; else cat build/hummingbot.log >&2; failed=1; fi; \
	wait $$told || failed=1; cat build/tests-book.log; exit $$failed

tests-book: $(READY)  ## the half of the tests that runs the chapters, compares them, and reads the book in a browser
	@PERPFUT_PROGRESS= $(PYTEST) notebooks $(NBVAL); compared=$$?; $(PYTEST) tests/book tests/notebooks && exit $$compared

demo: $(READY) $(BOT_READY)  ## the closed loop: exchange, agent, governor and Hummingbot, without network (8 minutes)
	$(BIN)/perpfut agent demo --keep

test-hummingbot: $(READY) $(BOT_READY)  ## all cases on real Hummingbot and a local exchange (5-10 minutes)
	PERPFUT_HUMMINGBOT=all $(PYTEST) tests/hummingbot

nbval: $(READY)  ## run the chapters on the default profile and compare what they show with what is kept
	PERPFUT_PROGRESS= $(PYTEST) notebooks $(NBVAL)

notebooks: $(READY)  ## run the default profile and keep its outputs in notebooks/
	$(BIN)/perpfut run --profile default --no-book
	$(BIN)/perpfut chapters keep --profile default

images:  ## build the container images, with Docker or buildah (IMAGES=agent builds one)
	docker/build-images $(IMAGES)

pin-images:  ## write the digests of the base images into the Dockerfiles (needs a registry)
	docker/pin-images

browser:  ## install Chromium, which the PDF and the book's browser tests need (Debian, as root)
	@command -v chromium >/dev/null || { apt-get update -qq && apt-get install -y -qq --no-install-recommends chromium; } \
		|| echo "no Chromium could be installed: the book's browser tests will be skipped" >&2

hooks: $(READY)  ## install the pre-commit hooks
	$(BIN)/pre-commit install

clean:  ## delete caches, books and the artifacts of all runs (not data/)
	rm -rf book/_build .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis build *.egg-info
	find artifacts -mindepth 1 -maxdepth 1 ! -name README.md ! -name published ! -name schema -exec rm -rf {} +
	find . -name __pycache__ -not -path './.venv/*' -prune -exec rm -rf {} +

distclean: clean  ## delete .venv too
	rm -rf $(VENV)

environment.yml: requirements.lock
	sed -i '/^      - /d' $@
	sed 's/^/      - /' $< >> $@
