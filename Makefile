# tt_actions: `make` says what there is.
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
    $(error Expected `EXP` or `RESUME`, but got both. Leave `EXP` out: a run goes on with its own experiment)
  endif
endif

.DEFAULT_GOAL := help
.PHONY: help setup train compare sweep analyze test lint docs bench bench-realtime constraints

help:  ## Say what each target does
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1\t\2/' | expand -t 24

setup: .venv/.installed  ## Make .venv and install the project with the tested versions

.venv/.installed: pyproject.toml constraints.txt
	@command -v $(PYTHON) >/dev/null || { echo "error: Expected Python 3.11 to 3.13 as '$(PYTHON)', but found none. Install it, or say where it is: make PYTHON=/path/to/python3.12"; exit 1; }
	@$(PYTHON) -c 'import sys; v = sys.version_info; sys.exit((3, 11) > v[:2] or v[:2] > (3, 13))' || { echo "error: Expected Python 3.11 to 3.13, but $(PYTHON) is $$($(PYTHON) -V 2>&1 | cut -d" " -f2). Name another: make PYTHON=python3.12"; exit 1; }
	$(PYTHON) -m venv --clear .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	@$(BIN)/python -c 'import cv2' || { echo "error: OpenCV lacks a system library (see above). On Debian and Ubuntu: apt-get install libgl1 libglib2.0-0"; exit 1; }
	@touch $@

train: setup  ## Train, test and report: EXP=cnn_lstm [DATA=folder or manifest] [LAYOUT=of joints] [RESUME=run directory] [ARGS="--key value"]
	@$(BIN)/tt-actions train $(START) $(ARGS)

compare: setup  ## Compare models on one split: [MODELS="cnn cnn_lstm"] [SEEDS=3] [DATA=...] [LAYOUT=...] [QUICK=1] [ARGS="--key value"]
	@$(BIN)/tt-actions compare $(if $(MODELS),--models $(MODELS)) $(if $(SEEDS),--seeds $(SEEDS)) $(if $(QUICK),--quick) $(DATA_ARGS) $(ARGS)

sweep: setup  ## Search over options, by W&B if logged in: SWEEP=ablation [STORAGE=database URL] [DATA=...] [ARGS="--key value"]
	@$(BIN)/tt-actions sweep $(SWEEP) $(if $(STORAGE),--storage "$(STORAGE)") $(DATA_ARGS) $(ARGS)

analyze: setup  ## Find the strokes in a match: VIDEO=file, folder or manifest CKPT=checkpoint [ARGS="--players left,right"]
	@$(if $(and $(VIDEO),$(CKPT)),,$(error Expected a video and a checkpoint: make analyze VIDEO=match.mp4 CKPT=runs/.../best.ckpt))
	@$(BIN)/tt-actions analyze "$(VIDEO)" --checkpoint "$(CKPT)" $(ARGS)

test: setup  ## Run the tests: [ARGS="-m slow"]
	@$(BIN)/python -m pytest --numprocesses auto --maxprocesses 4 --dist worksteal $(ARGS)

lint: setup  ## Check style, types and the order of the rooms
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo

docs: setup  ## Build the documentation into build/docs, and fail on any warning
	@NO_MKDOCS_2_WARNING=true $(BIN)/mkdocs build --strict --quiet

bench: setup  ## Measure the hot paths against their limits: runs/bench/bench.json
	@$(BIN)/python benchmarks/bench.py

bench-realtime: setup  ## Measure a whole match against decoding alone, and the delay: CKPT=checkpoint [ARGS=--quick]
	@$(if $(CKPT),,$(error Expected a checkpoint: make bench-realtime CKPT=runs/.../best.ckpt))
	@$(BIN)/python benchmarks/bench_realtime.py --checkpoint "$(CKPT)" $(ARGS)

constraints:  ## Make constraints.txt anew: the newest set within the bounds of pyproject.toml
	$(PYTHON) -m venv --clear .venv-constraints
	.venv-constraints/bin/python -m pip install --quiet torch==2.13.0 --editable '.[dev]'
	@{ echo "# The exact versions that the tests pass with. Made by \`make constraints\`, which installs the newest"; \
	   echo "# versions within the bounds of pyproject.toml (torch as said in the Makefile) into an empty environment and"; \
	   echo "# freezes them; run it again and then \`make test\` to refresh. On a GPU machine torch brings the nvidia-*"; \
	   echo "# packages that it pins itself."; \
	   .venv-constraints/bin/python -m pip freeze --exclude-editable | sed 's/+cpu$$//'; } > constraints.txt
	rm -rf .venv-constraints
