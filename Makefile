# make demo   ten seconds of the live loop, into out/demo.mp4      make test   the tests
# make check  what CI runs                                         make bench  stage times against their budgets
# make engines     TensorRT-RTX and NVRTC, with which the tests build every network's engine and compile every CUDA source, without a GPU
#                  (Linux, 200 MB)
# make test-gpu    the CUDA kernels, the whole picture and the networks on this machine's GPU, and under compute-sanitizer
# make bench-gpu   kernels, pictures, frame age and networks on it, into benchmarks/results (RUNTIME=tensorrt executes networks in that)
# make fuzz   10 000 damaged files and a million damaged packets for all that reads what others wrote
# make test-vcam  the virtual camera against the true v4l2loopback driver, in a virtual machine (root, Debian or Ubuntu)

PYTHON ?= $(shell for p in python3.12 python3.11 python3; do \
	$$p -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 12))' 2>/dev/null && { echo $$p; break; }; done)
RUNTIME ?= torch-cuda
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/pip install --quiet --disable-pip-version-check --constraint requirements.lock

.PHONY: demo test test-gpu test-vcam bench-gpu engines lint check bench fuzz clean

demo: $(VENV)/run
	@mkdir -p out
	$(BIN)/mimicam run --camera demo --puppet bruno --seconds 10 --output file:out/demo.mp4 --report out/demo.json \
		$$($(BIN)/python -c "from engine.output.window import screen_available as s; print('--output window' * s())")
	@echo "out/demo.mp4 is the puppet, out/demo.json the report"

test: $(VENV)/dev
	$(BIN)/pytest --numprocesses 2 --dist loadfile

test-gpu: $(VENV)/gpu
	$(BIN)/python -m tests.cuda.every gpu
	MIMICAM_GPU=1 $(BIN)/pytest -m gpu
	MIMICAM_GPU=1 $(BIN)/pytest tests/test_networks.py -k "torch-cuda or tensorrt"
	compute-sanitizer --tool memcheck --error-exitcode 1 $(BIN)/python -m tests.cuda.every gpu
	compute-sanitizer --tool racecheck --error-exitcode 1 $(BIN)/python -m tests.cuda.every gpu

bench-gpu: $(VENV)/gpu
	$(BIN)/mimicam bench kernels
	$(BIN)/mimicam bench device --runtime $(RUNTIME)
	$(BIN)/mimicam bench latency --loads --device gpu --runtime $(RUNTIME) --landmarks $(RUNTIME)
	$(BIN)/mimicam bench generators

engines: $(VENV)/engines

$(VENV)/engines: $(VENV)/dev
	$(PIP) --editable '.[engines]'
	@touch $@

$(VENV)/gpu: $(VENV)/dev
	$(BIN)/pip install --quiet --editable '.[cuda,tensorrt,train]'
	@touch $@

lint: $(VENV)/dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

check: lint engines test

test-vcam: $(VENV)/dev
	tests/vcam/run.sh

bench: $(VENV)/dev
	$(BIN)/mimicam bench stages

fuzz: $(VENV)/dev
	$(BIN)/python -m tools.fuzz

$(VENV)/bin/pip:
	@test -n "$(PYTHON)" || { echo "mimicam needs Python 3.11 or 3.12: found neither. Install one, or say make PYTHON=/path/to/python" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV) || { echo "the venv module is missing: sudo apt install python3-venv" >&2; rm -rf $(VENV); exit 1; }

$(VENV)/run: pyproject.toml requirements.lock | $(VENV)/bin/pip
	$(PIP) --editable .
	@touch $@

$(VENV)/dev: pyproject.toml requirements.lock | $(VENV)/bin/pip
	$(PIP) --editable '.[dev]'
	@touch $@ $(VENV)/run

clean:
	rm -rf $(VENV) out
