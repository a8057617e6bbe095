# make demo      install into .venv, then prepare, train, predict and score on the corpus that ships
# make test      install into .venv, then lint, types and tests
# make lint      install into .venv, then lint and types alone
# make install   install into .venv; PYTHON=python3.12 chooses the interpreter
# make clean     remove what builds and checks have left; .venv, runs and prepared data stay
#
# Versions are those of constraints.txt. On Linux PyPI's torch brings CUDA along (gigabytes); without a GPU, set
# PIP_EXTRA_INDEX_URL=https://download.pytorch.org/whl/cpu for the small one.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.installed

HOW_TO_CALL = @echo "ietool is in $(VENV): source $(BIN)/activate once a shell, or type $(BIN)/ietool"

# Processes of the suite, of one thread each: more threads than cores spin more than they work.
WORKERS ?= 2

.PHONY: help demo test lint install clean

# The first target, which a bare `make` takes: the lines above.
help:
	@sed -n 's/^# make /make /p' $(firstword $(MAKEFILE_LIST))

demo: $(STAMP)
	$(BIN)/ietool demo
	$(HOW_TO_CALL)

test: lint
	OMP_NUM_THREADS=1 $(BIN)/pytest -q -n $(WORKERS) --dist loadfile --no-loadscope-reorder

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy ietool
	$(BIN)/lint-imports --no-cache

install: $(STAMP)
	$(HOW_TO_CALL)

# The stamp makes a second call instant; it is made anew when the dependencies change.
$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "error: Python 3.11 or newer is needed → make PYTHON=python3.12"; exit 2; }
	@# One without pip, as it stays where making it was stopped, is made whole or anew.
	$(BIN)/python -m pip --version >/dev/null 2>&1 || $(BIN)/python -m ensurepip >/dev/null 2>&1 || \
	  $(PYTHON) -m venv --clear $(VENV)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev,serve,tensorboard]'
	touch $@

clean:
	rm -rf build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis *.egg-info
