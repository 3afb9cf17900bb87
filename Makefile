PYTHON ?= python3
ifeq ($(OS),Windows_NT)
BIN := .venv/Scripts
else
BIN := .venv/bin
endif

# How many tests run at once: make test JOBS=0 for one after another. A test file, or a notebook, stays in one process.
# What runs beside others gets one thread, since two processes with two threads each wait for each other on two cores, and
# its claims about times are shown, not enforced.
JOBS ?= 2
ONE_THREAD = OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 TF_NUM_INTRAOP_THREADS=1 TF_NUM_INTEROP_THREADS=1
BESIDE = -n $(JOBS) --dist loadfile --no-loadscope-reorder
NBVAL = -m pytest -c tests/nbval.ini --rootdir=. --durations=5
# The notebooks of a run; see tools/choose.py.
CHOICE ?= tested
CHOSEN = $$($(BIN)/python -m tools.choose $(CHOICE))

.PHONY: lab help test test-all test-oldest notebook-test timing-test claims-margin mutate check fix bench experiments notebooks clean

lab: .venv/ready  ## set up what is needed and open your copy of the lessons in JupyterLab
	$(BIN)/dlkit lab $(if $(LAB_OPTIONS),-- $(LAB_OPTIONS))

help:  ## what make can do
	@sed -nE 's/^([a-z-]+):.*## (.*)/make \1\t\2/p' Makefile | expand -t 20

# A claim that does not hold stops these; in the lab it is a red box.
test test-all test-oldest notebook-test timing-test notebooks: export DLKIT_STRICT = 1

test: .venv/ready  ## unit tests, then every lesson as a test
	$(ONE_THREAD) $(BIN)/python -m pytest $(BESIDE)
	$(MAKE) notebook-test

notebook-test: .venv/ready  ## every lesson, and the solutions that train, executed by nbval: make notebook-test [NB=notebooks/03_backpropagation.ipynb]
	$(if $(NB),$(BIN)/python $(NBVAL) $(NB),\
	$(ONE_THREAD) DLKIT_TIMING=report $(BIN)/python -m tools.fork_kernels $(BIN)/python $(NBVAL) $(BESIDE) $(CHOSEN))

timing-test: .venv/ready  ## the notebooks with claims about times, one after another on a quiet machine
	$(BIN)/python -m tools.fork_kernels $(BIN)/python $(NBVAL) $$($(BIN)/python -m tools.choose timing)

test-all: .venv/ready  ## everything: also what takes hours (damaged files, kills, each cell twice, JupyterLab) and all solutions
	$(BIN)/python -m pytest -m "slow or not slow" -rsxX
	$(BIN)/python $(NBVAL) notebooks

test-oldest:  ## all tests with the oldest versions that requirements.txt admits: make test-oldest PYTHON=python3.11
	$(PYTHON) -m venv .venv-oldest
	sed -E 's/ *#.*//; s/>=([0-9.]+).*/==\1/' requirements.txt > .venv-oldest/oldest.txt
	.venv-oldest/bin/python -m pip install --constraint .venv-oldest/oldest.txt --requirement requirements.txt --editable .
	.venv-oldest/bin/python -m pytest
	.venv-oldest/bin/python $(NBVAL) $(or $(NB),notebooks)

claims-margin: .venv/ready  ## every lesson from five seeds: how far each claim is from failing: make claims-margin [NB=notebooks/06_evaluation.ipynb]
	$(BIN)/python -m tools.claims_margin $(NB)

check: .venv/ready  ## lint, format and form, notebooks included
	$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/python -m tools.lint_notebooks

fix: .venv/ready  ## repair what check can repair
	$(BIN)/python -m tools.lint_notebooks --fix; $(BIN)/ruff check --fix . ; $(BIN)/ruff format .

bench: .venv/ready  ## the races, in minutes: make bench [RACE=pipeline]
	$(BIN)/python -m benchmarks $(RACE)

experiments: .venv/ready  ## run a lesson's long experiment and save its table, in minutes: make experiments LESSON=13
	$(BIN)/python -m benchmarks.experiments $(LESSON)

mutate: .venv/ready  ## plant errors in the solutions of exercises: does each checker reject them?
	$(BIN)/python -m tools.mutate

notebooks: .venv/ready  ## re-execute the notebooks in place: make notebooks [NB=notebooks/03_backpropagation.ipynb]
	$(BIN)/python -m tools.notebooks $(NB)

clean:  ## remove what make made; data and your notebooks stay
	rm -rf .venv .venv-oldest .pytest_cache .ruff_cache runs build dist *.egg-info

.venv/ready: requirements.txt constraints.txt pyproject.toml
	@$(PYTHON) -c "import sys; v = sys.version_info; sys.exit(0 if (3, 11, 5) <= v < (3, 14) else 'Python 3.11.5 to 3.13 is needed, this is %d.%d.%d. Name another one: make lab PYTHON=python3.12' % v[:3])"
	@echo "Setting up .venv with TensorFlow and JupyterLab: once, some minutes, 3 GB of disk."
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --constraint constraints.txt --requirement requirements.txt --editable .
	@touch .venv/ready
