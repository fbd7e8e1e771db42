# Two commands matter: `make reproduce` runs the study and builds its book, `make test` checks everything.
PROFILE ?= default
# Which interpreter: the one .venv has, else the first that pyproject.toml admits; or PYTHON=/path/to/python.
PYTHON ?=
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.installed
# Empty while .venv is complete and of the interpreter that was asked for.
STALE := $(shell ./install.sh --current $(VENV) $(PYTHON) || echo install-again)
# Hummingbot needs an environment of its own; its wheel is built once and kept.
BOT := .venv-hummingbot
BOT_READY := $(BOT)/.installed
BOT_PYTHON ?= python3.11
BOT_CACHE ?= $(HOME)/.cache/perpfut
IMAGES ?= agent hummingbot research
PYTEST := $(BIN)/python -m pytest
NBVAL := --nbval --nbval-current-env --nbval-cell-timeout 1800
# One BLAS thread per process: numba, joblib and PyTorch bring their own parallelism.
export OPENBLAS_NUM_THREADS ?= 1

.DEFAULT_GOAL := setup
.PHONY: setup install-again lock help hummingbot reproduce run book pdf test lint format tests tests-book tests-numbers test-plain-cpu test-hummingbot test-docker demo screenshots demo-compose nbval notebooks images publish-images pin-images browser hooks clean distclean

setup: $(READY)  ## make .venv from requirements.lock (2-3 minutes, once)
	@echo "ready: $(BIN)/perpfut --help, or make help"

$(READY): requirements.lock requirements-torch.lock pyproject.toml $(STALE)
	@./install.sh $(VENV) $(PYTHON)

lock:  ## resolve pyproject.toml's ranges into the lock files, keeping pins that still fit (UPGRADE=--upgrade: none)
	./lock.sh $(UPGRADE)

hummingbot: $(BOT_READY)  ## make .venv-hummingbot: build Hummingbot's wheel (3-5 minutes, once) and install it

$(BOT_READY): agent/hummingbot/requirements.lock agent/hummingbot/install.sh
	agent/hummingbot/install.sh $(BOT) $(BOT_CACHE) $(BOT_PYTHON)

help:  ## show this list
	@grep -hE '^[a-z-]+:.*##' Makefile | sed -E 's/^([a-z-]+):.*## */\1|/' | awk -F'|' '{printf "  make %-12s %s\n", $$1, $$2}'

reproduce: $(READY)  ## run every chapter of PROFILE (default: default) and build its book
	$(BIN)/perpfut run --profile $(PROFILE) --book

run: $(READY)  ## run the chapters of PROFILE, without the book
	$(BIN)/perpfut run --profile $(PROFILE) --no-book

book: $(READY)  ## build the HTML book of PROFILE from its executed chapters
	$(BIN)/perpfut book --profile $(PROFILE)

pdf: $(READY)  ## make the book of PROFILE as PDF (needs Chromium) and EPUB files, too
	$(BIN)/perpfut book --profile $(PROFILE) --pdf --epub

test:  ## set up, lint, and run all tests
	$(call check,setup lint)

lint: $(READY)  ## ruff, mypy and the import contract
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

format: $(READY)  ## let ruff mend what it can
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

tests:  ## the tests alone, in three parts side by side; Hummingbot is built meanwhile and tested then
	$(call check,setup)

# Hummingbot's wheel takes minutes, set-up and lint take one core: it is built beside them, and beside the tests if need be.
# Tests of processes mostly wait, those of numbers compute: side by side they fill two cores.
NUMBERS := tests/oracles tests/parity tests/properties tests/unit tests/packaging
define check
	@[ -z "$$CI" ] || $(MAKE) --no-print-directory browser
	@mkdir -p build; failed=0; beside=; \
	$(MAKE) --no-print-directory hummingbot > build/hummingbot.log 2>&1 & built=$$!; \
	trap 'kill $$built $$beside 2>/dev/null; exit 130' INT TERM; \
	$(MAKE) --no-print-directory $(1) || { kill $$built; exit 1; }; \
	for part in book numbers; do \
		$(MAKE) --no-print-directory tests-$$part > build/tests-$$part.log 2>&1 & beside="$$beside $$!"; done; \
	$(PYTEST) $(addprefix --ignore=,tests/hummingbot tests/book tests/notebooks $(NUMBERS)) || failed=1; \
	if wait $$built; then $(PYTEST) tests/hummingbot || failed=1; else cat build/hummingbot.log >&2; failed=1; fi; \
	for part in $$beside; do wait $$part || failed=1; done; cat build/tests-book.log build/tests-numbers.log; exit $$failed
endef

tests-numbers: $(READY)  ## the part of the tests that computes: oracles, parity, properties, units, packaging
	@$(PYTEST) $(NUMBERS)

tests-book: $(READY)  ## the part of the tests that runs the chapters, compares them, and reads the book in a browser
	@PERPFUT_PROGRESS= $(PYTEST) notebooks $(NBVAL); compared=$$?; $(PYTEST) tests/book tests/notebooks && exit $$compared

# OpenBLAS, numpy, PyTorch and numba without the instructions that the machine has: other kernels round the last bits
# differently, as another processor does. NUMBA_CPU_NAME=x86-64-v3 OPENBLAS_CORETYPE=Haswell (Zen, SkylakeX) name others.
test-plain-cpu: $(READY)  ## oracles and parity on an emulated plain processor (no AVX, no FMA)
	@mkdir -p build/machine-code
	OPENBLAS_CORETYPE=$(or $(OPENBLAS_CORETYPE),Nehalem) NUMBA_CPU_NAME=$(or $(NUMBA_CPU_NAME),generic) NUMBA_CPU_FEATURES= \
	NPY_DISABLE_CPU_FEATURES="AVX2 FMA3 AVX512F AVX512CD AVX512_SKX" ATEN_CPU_CAPABILITY=default \
	NUMBA_CACHE_DIR=$(CURDIR)/build/machine-code $(BIN)/python -W ignore -m pytest -m "not trains" tests/oracles tests/parity

demo: $(READY) $(BOT_READY)  ## the closed loop: exchange, agent, governor and Hummingbot, without network (8 minutes)
	$(BIN)/perpfut agent demo --keep

test-hummingbot: $(READY) $(BOT_READY)  ## all cases on real Hummingbot and a local exchange (5-10 minutes)
	PERPFUT_HUMMINGBOT=all $(PYTEST) tests/hummingbot

test-docker: $(READY)  ## every service on this machine's Docker engine (needs the images; installs nothing)
	$(PYTEST) -m docker tests/docker

screenshots: $(READY)  ## take the pictures of the operator's console anew, from a simulated closed loop (needs Chromium)
	@mkdir -p book/_static/console
	PERPFUT_SCREENSHOTS=book/_static/console $(PYTEST) tests/console/test_closed_loop.py -k "picture or running_loop or dead_agent or keyboard"

demo-compose: $(READY)  ## the demonstration under Compose, its decisions against a replay (15 minutes; needs the images)
	$(BIN)/python docker/trials/demo.py $(MINUTES)

nbval: $(READY)  ## run the chapters on the default profile and compare what they show with what is kept
	PERPFUT_PROGRESS= $(PYTEST) notebooks $(NBVAL)

notebooks: $(READY)  ## run the default profile and the how-to guides, and keep their outputs in notebooks/
	$(BIN)/perpfut run --profile default --no-book
	$(BIN)/perpfut chapters keep --profile default
	$(BIN)/perpfut chapters howto

images:  ## build the container images, with Docker or buildah (IMAGES=agent builds one)
	docker/build-images $(IMAGES)

publish-images:  ## build and push the images to REGISTRY with provenance (needs buildx, pinned bases, a clean tree)
	docker/publish-images $(IMAGES)

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
