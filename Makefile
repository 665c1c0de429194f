# `make test` and `make demo` are the whole set-up: each makes .venv on first use.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

# Two cores that are shared: threads that wait must not spin.
export OMP_WAIT_POLICY := PASSIVE

.PHONY: demo docs idea reference test test-all test-gpu lint clean

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

# With GPU_PYTHON=python3 on what that Python has installed, torch among it. Ten minutes: the tables that were never
# finished come first, and each has its share; without CUDA the first ends with a sentence and nothing is tested.
GPU_PYTHON ?= $(BIN)/python
GPU_PAGE ?= build/gpu
test-gpu: $(if $(filter $(BIN)/%,$(GPU_PYTHON)),$(STAMP))
	$(GPU_PYTHON) -m plugins bench gpu --folder $(GPU_PAGE) --budget 2m15s
	timeout --signal=INT 180 $(GPU_PYTHON) -m pytest -m gpu -n 4 tests/gpu; tested=$$?; \
	$(GPU_PYTHON) -m opengait_ext bench gpu --folder $(GPU_PAGE) --budget 3m || exit 1; \
	$(GPU_PYTHON) -m reid_ext bench gpu --folder $(GPU_PAGE) --budget 1m || exit 1; \
	test $$tested -ne 124 || echo "test-gpu: the tests were not finished within 3 minutes" >&2; exit $$tested

# The README's picture: windows as large as the feature map, so that every query sees all keys.
IDEA := 'model_cfg.transformer.window=[1,15,10]' model_cfg.kprpe.grid=image model_cfg.kprpe.formulation=second_order \
	'trainer_cfg.sampler.batch_size=[4,2]' trainer_cfg.sampler.frames_num_fixed=4 trainer_cfg.total_iter=60 \
	evaluator_cfg.restore_hint=60

idea: $(STAMP)
	$(BIN)/python -m opengait_ext demo --output demo_output/idea/gait $(IDEA)
	$(BIN)/python -m reid_ext demo --output demo_output/idea/reid train.max_epoch 10 train.stepsize '[8]' \
	data.height 128 data.width 64
	$(BIN)/python -m plugins join demo_output/idea/gait/bias.png demo_output/idea/reid/parts.png \
	--titles 'KP-RPE: joints, and the biases they make' 'StRA: where four modes are active' --output docs/idea.png
	cp demo_output/idea/reid/modes.png docs/modes.png

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
