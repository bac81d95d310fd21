# tt_actions: run `make` to list all targets.
PYTHON ?= python3
EXP ?= cnn_lstm
SWEEP ?= ablation
BIN := .venv/bin

DATA_ARGS = $(if $(DATA),--data "$(DATA)") $(if $(LAYOUT),--layout $(LAYOUT))
START = $(if $(RESUME),--resume "$(RESUME)",--config experiments/$(EXP).yaml) $(DATA_ARGS)

ifneq ($(filter train,$(MAKECMDGOALS)),)
  ifeq ($(RESUME),)
    ifeq ($(wildcard experiments/$(EXP).yaml),)
      $(error Expected `EXP` to be one of $(basename $(notdir $(wildcard experiments/*.yaml))), but got '$(EXP)')
    endif
  else ifeq ($(origin EXP),command line)
    $(error Expected either `EXP` or `RESUME`, but got both. Omit `EXP`: a resumed run keeps its experiment)
  endif
endif

.DEFAULT_GOAL := help
.PHONY: help setup train compare sweep names analyze label test lint docs bench bench-realtime constraints

help:  ## List the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1\t\2/' | expand -t 24

setup: .venv/.installed  ## Make .venv and install the project with the tested versions

.venv/.installed: pyproject.toml constraints.txt
	@command -v $(PYTHON) >/dev/null || { echo "error: Expected Python 3.11 to 3.13 as '$(PYTHON)', but found none. Install it, or set its path: make PYTHON=/path/to/python3.12"; exit 1; }
	@$(PYTHON) -c 'import sys; v = sys.version_info; sys.exit((3, 11) > v[:2] or v[:2] > (3, 13))' || { echo "error: Expected Python 3.11 to 3.13, but $(PYTHON) is $$($(PYTHON) -V 2>&1 | cut -d" " -f2). Use another version: make PYTHON=python3.12"; exit 1; }
	$(PYTHON) -m venv --clear .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	@$(BIN)/python -c 'import cv2' || { echo "error: OpenCV lacks a system library (see above). On Debian and Ubuntu: apt-get install libgl1 libglib2.0-0"; exit 1; }
	@touch $@

train: setup  ## Train, test and report: EXP=cnn_lstm [DATA=folder or manifest] [LAYOUT=joint layout] [RESUME=run directory] [ARGS="--key value"]
	@$(BIN)/tt-actions train $(START) $(ARGS)

compare: setup  ## Compare models on one split: [MODELS="cnn cnn_lstm"] [SEEDS=3] [DATA=...] [LAYOUT=...] [QUICK=1] [ARGS="--key value"]
	@$(BIN)/tt-actions compare $(if $(MODELS),--models $(MODELS)) $(if $(SEEDS),--seeds $(SEEDS)) $(if $(QUICK),--quick) $(DATA_ARGS) $(ARGS)

sweep: setup  ## Search over the options of an experiment (with W&B if you are logged in): SWEEP=ablation [STORAGE=database URL] [DATA=...] [ARGS="--key value"]
	@$(BIN)/tt-actions sweep $(SWEEP) $(if $(STORAGE),--storage "$(STORAGE)") $(DATA_ARGS) $(ARGS)

names: setup  ## Make the networks that name strokes without labels: draw clips, find their joints, train (an hour) [ARGS="--sports tennis"]
	@$(BIN)/tt-actions names $(ARGS)

analyze: setup  ## Find the strokes in a match: VIDEO=file, folder or manifest [CKPT=checkpoint] [ARGS="--players left,right"]
	@$(if $(VIDEO),,$(error Expected a video: make analyze VIDEO=match.mp4))
	@$(BIN)/tt-actions analyze "$(VIDEO)" $(if $(CKPT),--checkpoint "$(CKPT)") $(ARGS)

label: setup  ## Mark strokes on a page: VIDEO=file [CKPT=checkpoint], or FROM=folder of an analysis [ARGS="--out marks.csv"]
	@$(if $(or $(FROM),$(VIDEO)),,$(error Expected a video, or the folder of an analysis: make label VIDEO=match.mp4))
	@$(BIN)/tt-actions label $(if $(VIDEO),"$(VIDEO)") $(if $(FROM),--from "$(FROM)") $(if $(CKPT),--checkpoint "$(CKPT)") $(ARGS)

test: setup  ## Run the tests: [ARGS="-m slow"]
	@$(BIN)/python -m pytest --numprocesses auto --maxprocesses 4 --dist worksteal $(ARGS)

lint: setup  ## Check style, types and the allowed imports between folders
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo

docs: setup  ## Build the documentation into build/docs; any warning is an error
	@NO_MKDOCS_2_WARNING=true $(BIN)/mkdocs build --strict --quiet

bench: setup  ## Measure performance-critical code and compare it with its limits; writes runs/bench/bench.json
	@$(BIN)/python benchmarks/bench.py

bench-realtime: setup  ## Measure the speed of match analysis relative to decoding alone, and its delay: CKPT=checkpoint [ARGS=--quick]
	@$(if $(CKPT),,$(error Expected a checkpoint: make bench-realtime CKPT=runs/.../best.ckpt))
	@$(BIN)/python benchmarks/bench_realtime.py --checkpoint "$(CKPT)" $(ARGS)

constraints:  ## Regenerate constraints.txt with the newest versions that pyproject.toml allows
	$(PYTHON) -m venv --clear .venv-constraints
	.venv-constraints/bin/python -m pip install --quiet torch==2.13.0 --editable '.[dev]'
	@{ echo "# The exact versions with which the tests pass. \`make constraints\` writes this file: it installs the newest"; \
	   echo "# versions that pyproject.toml allows (torch as pinned in the Makefile) into an empty environment and freezes"; \
	   echo "# them. To update, run it and then \`make test\`. On a machine with a GPU, torch also installs the nvidia-*"; \
	   echo "# packages, whose versions it pins itself."; \
	   .venv-constraints/bin/python -m pip freeze --exclude-editable | sed 's/+cpu$$//'; } > constraints.txt
	rm -rf .venv-constraints
