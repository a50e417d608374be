# Every recipe is one to three lines; the logic lives in lib/tokenomics. `make help` lists the targets.
SHELL := /bin/sh
.DEFAULT_GOAL := help
BASE_PYTHON ?= $(shell for p in python3.13 python3.12 python3.11 python3 python; do \
	$$p -c 'import sys; sys.exit(not (3,11) <= sys.version_info[:2] < (3,14))' 2>/dev/null && echo $$p && break; done)
BIN := .venv/bin
UV := $(BIN)/uv pip
export PATH := $(CURDIR)/$(BIN):$(PATH)
export DVC_NO_ANALYTICS := 1
export SET
FORMAT ?= pdf
export UV_PYTHON := $(CURDIR)/$(BIN)/python
STAMP := .venv/.installed
COMPILED := .venv/.compiled
LOCK_FLAGS := -q --universal --python-version 3.11 --generate-hashes --no-header --no-annotate --no-emit-index-url

$(STAMP): requirements/bootstrap.lock requirements/full.lock pyproject.toml
	@test -n "$(BASE_PYTHON)" || { echo "no Python 3.11 to 3.13 found: set BASE_PYTHON=/path/to/python"; exit 2; }
	@test -x $(BIN)/python || "$(BASE_PYTHON)" -m venv .venv
	@$(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes -r requirements/bootstrap.lock
	@$(UV) sync -q --require-hashes --no-build-isolation --compile-bytecode requirements/full.lock
	@$(UV) install -q --offline --no-deps --no-build-isolation -e .
	@touch $@

$(COMPILED): $(STAMP) $(wildcard lib/tokenomics/service/simulator/*.py)
	@$(BIN)/python -m tokenomics.service.simulator
	@touch $@

.PHONY: setup
setup: $(COMPILED)  ## install everything into .venv from hash-pinned locks (repeating it costs nothing)

.PHONY: reproduce
reproduce: setup  ## rerun every notebook from scratch, compare with results/, print the headline numbers
	@tokenomics reproduce

.PHONY: test
test: setup lint  ## lint, then all tests
	@$(BIN)/python -m pytest -n 2 --dist worksteal $(TESTS)

.PHONY: test-parameters
test-parameters: setup  ## run notebooks on allowed parameters (hours; goes on where it stopped; options in ARGS)
	@$(BIN)/python benchmarks/parameters/deliver.py $(ARGS)

.PHONY: lint
lint: setup  ## style and static checks of the library, tests and notebooks
	@ruff check . && ruff format --check .

.PHONY: fix
fix: setup  ## repair style and every generated file (parameters, schemas, environment, dictionary)
	@ruff check --fix -q . ; ruff format -q . ; $(BIN)/python -m pytest --fix tests/project

.PHONY: lab
lab: setup  ## open this folder in JupyterLab, README.md first (output goes to scratch/; more options in ARGS)
	@JUPYTER_CONFIG_PATH="$(CURDIR)/.jupyter" jupyter lab --ServerApp.root_dir=. $(ARGS)

.PHONY: run
run: setup  ## run one notebook: make run NB=01_ubiquitous_llms SET='task_models=["GPT-4", o1] seed=1' (into runs/)
	@test -n "$(NB)" || { echo "name a notebook: make run NB=01_ubiquitous_llms"; exit 2; }
	@tokenomics run "$(NB)" --out "runs/$(NB)" --sets "$$SET"

.PHONY: score
score: setup  ## score measurements of your own: make score FILE=mine.csv
	@test -n "$(FILE)" || { echo "name a file: make score FILE=mine.csv"; exit 2; }
	@tokenomics score "$(FILE)"

.PHONY: figure
figure: setup  ## one figure: make figure FIG=04_pareto FORMAT=pdf SET="batch=8" (its notebook is found and run)
	@test -n "$(FIG)" || { echo "name a figure of results/: make figure FIG=04_pareto"; exit 2; }
	@tokenomics figure "$(FIG)" --format "$(FORMAT)" --sets "$$SET"

.PHONY: paper
paper: setup  ## every figure as SVG and PDF, every table as LaTeX, into runs/paper/ (SET as for run)
	@tokenomics paper --sets "$$SET"

.PHONY: calibrate
calibrate: setup  ## refit data/calibration: operators, then engines and intervals (asks for the extra `calibration`)
	@OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 $(BIN)/python -m tokenomics.calibration.operators
	@OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 $(BIN)/python -m tokenomics.calibration.engines
	@dvc commit -f calibrate learn

.PHONY: experiment-setup
experiment-setup: setup  ## add what the experiment needs to .venv: a CPU build of torch, the small models, llama.cpp
	@$(BIN)/python -m tokenomics.experiment.packages

.PHONY: experiment
experiment: setup  ## rerun retrieval against tuning (an hour and a half on two cores; a run that was stopped goes on)
	@$(BIN)/python -m tokenomics.experiment full
	@dvc commit -f $$(dvc stage list --name-only | grep -xE 'corpus|index|tune|evaluate|latency')

.PHONY: experiment-tiny
experiment-tiny: setup  ## the whole experiment on five products, twice, one run killed on its way, with checks (3 minutes)
	@$(BIN)/python -m tokenomics.experiment.tiny

.PHONY: pipeline
pipeline: setup  ## rerun only what changed (dvc repro)
	@dvc repro --keep-going

.PHONY: site
site: setup  ## build the reader's site from results/ into site/_build/html (needs no network)
	@$(BIN)/python -m tokenomics.site

.PHONY: wheel
wheel: setup  ## build runs/wheel/*.whl, which works without this checkout: the library and the tables it needs
	@$(BIN)/python -m pip wheel -q --no-deps --no-build-isolation -w runs/wheel . && rm -rf build && ls runs/wheel

.PHONY: lock
lock: setup  ## resolve pyproject.toml into the hash-pinned locks anew
	@printf 'packaging\nsetuptools>=82\nuv\nwheel\n' | $(UV) compile $(LOCK_FLAGS) - -o requirements/bootstrap.lock
	@$(UV) compile $(LOCK_FLAGS) pyproject.toml --extra dev --extra site -o requirements/full.lock

.PHONY: clean
clean:  ## remove what can be made again (environment, caches, runs, scratch); results/ stays
	@rm -rf .venv .pytest_cache .ruff_cache .hypothesis runs scratch results/failed site/_build

.PHONY: help
help:  ## list the targets
	@awk -F ':.*##' '/^[a-z-]+:.*##/ {printf "%-18s%s\n", $$1, $$2}' Makefile
