# Two commands set up a fresh machine: `make demo` shows mpigen at work, `make test` checks all of it.

PYTHON ?= python3
BIN := .venv/bin
INSTALLED := .venv/installed
# two test processes, each with a lab of its own: most of a Swarm test is waiting
BESIDE := --numprocesses 2 --dist loadfile
# of the matrix: run by themselves
ALONE := scale suites numerics
# and three where tests wait for servers that are slow or lost; long files begin in time, in the given order
BESIDE_MORE := --numprocesses 3 --dist loadfile --no-loadscope-reorder

APT := DEBIAN_FRONTEND=noninteractive apt-get install --quiet=2 --no-install-recommends --yes
# $(call debian,CONDITION,PACKAGES): Debian's packages, where pip has none, unless the condition holds
debian = { $(1); } >/dev/null 2>&1 || { \
  echo "installing Debian's $(2)"; \
  { $(APT) $(2) || { apt-get update --quiet=2 && $(APT) $(2); }; } >/dev/null && { $(1); } >/dev/null; } || { \
  echo "missing: on Debian and Ubuntu, sudo apt-get install $(2)" >&2; exit 2; }
# the Perl programs of the image, as they ship
PERL = $(shell grep -rlIE '^.!/usr/bin/perl' templates generator --exclude='*.j2')

.PHONY: help setup demo test test-faults test-matrix test-sample test-servers test-suites lint unit swarm bench clean

help: ## what there is to make
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/' | expand -t 12

setup: $(INSTALLED) ## the virtual environment, with mpigen and what checks it

$(INSTALLED): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "mpigen needs Python 3.11 or newer: say which with make PYTHON=python3.12" >&2; exit 2; }
	@echo "making a virtual environment in .venv (a minute or two)"
	@$(PYTHON) -m venv .venv || { \
	  echo "Python's venv is missing: on Debian and Ubuntu, apt-get install python3-venv" >&2; exit 2; }
	@$(BIN)/pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $@

demo: setup ## a three-node Swarm on this machine, a cluster, a job, its checks; then all gone, but for KEEP=1
	@$(BIN)/mpigen lab demo $(if $(KEEP),--keep)

test: setup ## lint, unit, golden and real-Swarm tests
	@$(MAKE) --no-print-directory lint
	@$(BIN)/mpigen lab engine
	@$(BIN)/mpigen lab base debian:forky-slim
	@$(BIN)/mpigen lab base debian:trixie-slim
	@$(BIN)/mpigen lab base debian:bookworm-slim
	@$(BIN)/pytest $(BESIDE) -m 'not long' tests/unit tests/golden tests/fuzz tests/swarm

test-faults: setup ## what takes longer: README as a new user walks it, lost containers and nodes, many jobs
	@$(call debian,command -v tmux && command -v git && /usr/bin/python3 -m venv --help && /usr/bin/python3 -c "import ensurepip",tmux git python3-venv)
	@$(BIN)/mpigen lab engine
	@$(BIN)/mpigen lab base debian:forky-slim
	@$(BIN)/mpigen lab base debian:trixie-slim
	@$(BIN)/mpigen lab base debian:bookworm-slim
	@$(BIN)/pytest $(BESIDE_MORE) -m long tests/faults tests/swarm tests/browser

test-matrix: setup ## every base, MPI, engine and processor, the examples, 120 workers; writes docs/support.md
	@$(BIN)/mpigen lab engine
	@$(BIN)/mpigen lab base debian:forky-slim
	@$(BIN)/mpigen lab base debian:trixie-slim
	@$(BIN)/mpigen lab base debian:bookworm-slim
	@$(BIN)/mpigen lab base debian:trixie-slim --platform linux/arm64
	@$(BIN)/pytest $(BESIDE) tests/matrix $(foreach file,$(ALONE),--ignore tests/matrix/test_$(file).py)
	@$(BIN)/pytest tests/matrix/test_scale.py

test-suites: setup ## programs of others by their own checks, for hours: mpi4py's suite on each MPI, ScaLAPACK's testers, HPCC
	@$(BIN)/mpigen lab engine
	@$(BIN)/pytest tests/matrix/test_numerics.py tests/matrix/test_suites.py

test-sample: setup ## one cell of the matrix, another one each day
	@$(BIN)/mpigen lab engine
	@$(BIN)/pytest --sample $$(date +%j) tests/matrix/test_cells.py

test-servers: setup ## docs/servers.md walked on two emulated servers, Debian 13 and 14; writes docs/support.md
	@$(call debian,command -v qemu-system-x86_64 && command -v qemu-img && command -v mmdebstrap && command -v mke2fs && command -v ssh && command -v git && command -v tmux && /usr/bin/python3 -m venv --help && /usr/bin/python3 -c "import ensurepip",qemu-system-x86 qemu-utils mmdebstrap debian-archive-keyring e2fsprogs openssh-client git tmux python3-venv)
	@$(BIN)/pytest --exitfirst --capture=tee-sys tests/servers

lint: setup ## ruff, mypy, and what checks the rendered artifacts without Docker
	@$(BIN)/ruff format --check --quiet . && echo "ruff format: ok"
	@$(BIN)/ruff check --quiet . && echo "ruff check: ok"
	@$(BIN)/ruff check --quiet --no-cache --isolated --select E9,F output/verify && echo "ruff check output/verify: ok"
	@$(BIN)/mypy && echo "mypy: ok"
	@said=$$($(BIN)/lint-imports --no-cache 2>&1) || { echo "$$said"; exit 1; }; echo "import-linter: $$(echo "$$said" | grep Contracts:)"
	@$(BIN)/shellcheck .ci/run $$(grep -rlIE '^#!/bin/(ba)?sh' output tests generator templates --exclude='*.py' --exclude='*.j2') && echo "shellcheck: ok"
	@for script in $(PERL); do perl -wc $$script 2>&1 | grep -v 'syntax OK$$' && exit 1; done; echo "perl: ok"
	@$(call debian,command -v perlcritic,libperl-critic-perl)
	@perlcritic --quiet --profile tests/perlcriticrc $(PERL) && echo "perlcritic: ok"
	@$(BIN)/hadolint output/Dockerfile generator/mpigen/lab/node.Dockerfile && echo "hadolint: ok"
	@$(BIN)/yamllint --strict -c tests/yamllint.yaml mpigen.yaml output/stack.yml && echo "yamllint: ok"

unit: setup ## the tests that need no Docker engine
	@$(BIN)/pytest tests/unit tests/golden tests/fuzz

swarm: setup ## the tests on a real Swarm
	@$(BIN)/pytest -m 'not long' tests/swarm

bench: setup ## ours against the walk-through's recipe, copier and hpccm: both sides in one run
	@$(BIN)/python tests/bench/walkthrough.py
	@$(BIN)/python tests/bench/image.py
	@$(BIN)/python tests/bench/render.py
	@mkdir -p build/bench
	@$(BIN)/python tests/bench/limits.py --json build/bench/limits.json
	@$(BIN)/python tests/bench/collectives.py --json build/bench/collectives.json
	@$(BIN)/python tests/bench/launch.py --json build/bench/launch.json
	@$(BIN)/python tests/bench/mpis.py --json build/bench/mpis.json
	@$(BIN)/python tests/bench/plots.py docs docs/performance.md build/bench/*.json

clean: ## the virtual environment and what tools left
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .import_linter_cache build dist
	find generator tests -name __pycache__ -prune -exec rm -rf {} +
