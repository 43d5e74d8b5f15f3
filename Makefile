# Two commands set up all they need: `make demo` and `make test`. `make ui` opens Dagster on what they made.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
OFFLINE := HF_HUB_OFFLINE=1 TRANSFORMERS_OFFLINE=1
# OpenVINO makes embedding faster (benchmarks/embedding_speed.py); leave it out with EXTRAS=dev.
EXTRAS ?= fast,dev

# What `make bench` runs, in this order; DATA is the folder of the labelled sets (docs/quality.md).
BENCHMARKS := embedding_speed end_to_end retag_speed cookbook_speed discovery label_budget supervised training_speed few_shot corrections_worth reuse reuse_speed out_of_scope volumes continuity \
	personal_data live_langfuse claude_teacher claude_faults
DATA ?= ../shared/datasets

.PHONY: help install demo test lint ui bench clean

help:
	@echo "make demo    tag the bundled sample, measure it against its gold labels"
	@echo "make ui      open Dagster on http://127.0.0.1:3000"
	@echo "make test    lint, types and tests"
	@echo "make bench   run all benchmarks on the sets in DATA (an hour or more), write the tables of the docs"
	@echo "make clean   remove what demo and ui made (the store, the Dagster home)"

install: $(VENV)/.installed

$(VENV)/.installed: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed, this is " + sys.version.split()[0])'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "Installing into $(VENV) (a few minutes the first time) …"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt torch
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[$(EXTRAS)]'
	@touch $@

demo: install
	@$(OFFLINE) $(BIN)/intent-assets run --source sample --store ./intent_store
	@echo
	@$(OFFLINE) $(BIN)/intent-assets quality --gold intent_assets/samples/gold.csv --store ./intent_store
	@echo
	@echo "Open the UI:  make ui   (then http://127.0.0.1:3000)"

test: install
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy intent_assets
	@$(OFFLINE) $(BIN)/python -m pytest -n 2 --dist loadfile

lint: install
	@$(BIN)/ruff check --fix . && $(BIN)/ruff format . && $(BIN)/mypy intent_assets

ui: install
	@mkdir -p .dagster_home && cp dagster.yaml .dagster_home/dagster.yaml
	@echo "Dagster on http://127.0.0.1:3000 (stop with Ctrl-C)"
	@$(OFFLINE) PYTHONWARNINGS='ignore:Parameter,ignore:Function' DAGSTER_HOME=$(CURDIR)/.dagster_home $(BIN)/dagster dev --host 127.0.0.1 --port 3000

bench: install
	@test -d '$(DATA)' || { echo "No folder $(DATA): say DATA=FOLDER, with the labelled sets as <set>.jsonl.gz."; exit 2; }
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[$(EXTRAS),bench]'
	@echo "An hour or more on two quiet cores, in this order:"
	@for name in $(BENCHMARKS); do echo "  python -m benchmarks.$$name --data $(DATA)"; done; echo "  python -m benchmarks.tables"
	@set -e; for name in $(BENCHMARKS); do echo; echo "== $$name"; $(OFFLINE) $(BIN)/python -m benchmarks.$$name --data '$(DATA)'; done
	@$(BIN)/python -m benchmarks.tables

clean:
	rm -rf .dagster_home intent_store
