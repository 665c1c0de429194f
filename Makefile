# `make test` and `make demo` are the whole set-up: each makes .venv on first use.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

# Two cores that are shared: threads that wait must not spin.
export OMP_WAIT_POLICY := PASSIVE

.PHONY: demo docs reference test test-all test-gpu lint clean

$(STAMP): setup.py
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check torch torchvision
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[reid,opengait,toy,export,dev]'
	touch $@

demo: $(STAMP)
	$(BIN)/python -m reid_ext demo
	$(BIN)/python -m opengait_ext demo

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

test: lint
	$(BIN)/python -m pytest -n 2 --dist worksteal -m 'not slow and not gpu'

test-all: lint
	$(BIN)/python -m pytest -n 2 --dist worksteal -m 'not gpu'
	$(BIN)/python -m tox run

# With GPU_PYTHON=python3 on what that Python has installed, torch among it; the page comes in any case.
GPU_PYTHON ?= $(BIN)/python
GPU_PAGE ?= build/gpu
test-gpu: $(if $(filter $(BIN)/%,$(GPU_PYTHON)),$(STAMP))
	$(GPU_PYTHON) -m pytest -m gpu -n 4 tests/gpu; tested=$$?; \
	for program in plugins opengait_ext reid_ext; do \
		$(GPU_PYTHON) -m $$program bench gpu --folder $(GPU_PAGE) || exit 1; \
	done; exit $$tested

reference: $(STAMP)  # the generated pages: commands, settings, models
	$(BIN)/python -m opengait_ext reference
	$(BIN)/python -m reid_ext reference
	$(BIN)/python -m plugins reference
	$(BIN)/python -m opengait_ext leaderboard models
	$(BIN)/python -m reid_ext leaderboard models

docs: $(STAMP)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[docs]'
	$(BIN)/python -m mkdocs build --strict

clean:
	rm -rf demo_output build site *.egg-info
