PYTHON ?= python3
ifeq ($(OS),Windows_NT)
BIN := .venv/Scripts
else
BIN := .venv/bin
endif

# How many tests run at once: make test JOBS=0 for one after another. A test file, or a notebook, stays in one process.
# What runs beside others gets one thread: two processes with two threads each wait for each other on two cores.
JOBS ?= 2
BESIDE = -n $(JOBS) --dist loadfile
ONE_THREAD = env OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 TF_NUM_INTRAOP_THREADS=1 TF_NUM_INTEROP_THREADS=1
NBVAL = $(BIN)/python -m pytest -c tests/nbval.ini --rootdir=. --durations=5
# wildcard twice: make cuts a name with spaces in two, and the parts are no files. Such a notebook, nobody's lesson, is left out.
CHOSEN = $(or $(NB),$(wildcard $(wildcard notebooks/*.ipynb notebooks/solutions/*.ipynb)))
# These measure seconds, so each runs with nothing beside it; tests/test_notebooks.py fails when one is missing here or too many.
TIMED := $(addprefix notebooks/,03_% 10_% 11_% 14_% 18_% 24_% 25_% solutions/11_% solutions/19_% solutions/25_%)
ALONE = $(filter $(TIMED),$(CHOSEN))
TOGETHER = $(filter-out $(TIMED),$(CHOSEN))

.PHONY: lab test test-all test-oldest claims-margin notebook-test check bench notebooks clean help

lab: .venv/ready  ## set up what is needed and open your copy of the lessons in JupyterLab
	$(BIN)/dlkit lab $(if $(LAB_OPTIONS),-- $(LAB_OPTIONS))

help:  ## what make can do
	@sed -nE 's/^([a-z-]+):.*## (.*)/make \1\t\2/p' Makefile | expand -t 20

# A claim that does not hold stops these; in the lab it is a red box.
test test-all test-oldest notebook-test notebooks: export DLKIT_STRICT = 1

test: .venv/ready  ## unit tests, then every notebook as a test
	$(ONE_THREAD) $(BIN)/python -m pytest $(BESIDE)
	$(MAKE) notebook-test

test-all: .venv/ready  ## the same and what takes hours: damaged files, kills, each cell twice, notebooks in awkward rooms and in JupyterLab
	$(BIN)/python -m pytest -m "slow or not slow" -rsxX
	$(MAKE) notebook-test

test-oldest:  ## all tests with the oldest versions that requirements.txt admits: make test-oldest PYTHON=python3.10
	$(PYTHON) -m venv .venv-oldest
	sed -E 's/ *#.*//; s/>=([0-9.]+).*/==\1/' requirements.txt > .venv-oldest/oldest.txt
	.venv-oldest/bin/python -m pip install --constraint .venv-oldest/oldest.txt --editable .
	.venv-oldest/bin/python -m pytest
	.venv-oldest/bin/python -m pytest -c tests/nbval.ini --rootdir=. $(or $(NB),notebooks) --durations=5

claims-margin: .venv/ready  ## every lesson from five seeds: how far each claim is from failing: make claims-margin [NB=notebooks/06_evaluation.ipynb]
	$(BIN)/python -m tools.claims_margin $(NB)

notebook-test: .venv/ready  ## every notebook and solution, executed by nbval: make notebook-test [NB=notebooks/03_backpropagation.ipynb]
	$(if $(TOGETHER),$(if $(word 2,$(TOGETHER)),$(ONE_THREAD) $(NBVAL) $(BESIDE),$(NBVAL)) $(TOGETHER))
	$(if $(ALONE),$(NBVAL) $(ALONE))

check: .venv/ready  ## lint and format, notebooks included
	$(BIN)/ruff check . && $(BIN)/ruff format --check .

bench: .venv/ready  ## the races, in minutes: make bench [RACE=pipeline]
	$(BIN)/python -m benchmarks $(RACE)

notebooks: .venv/ready  ## re-execute the notebooks in place: make notebooks [NB=notebooks/03_backpropagation.ipynb]
	$(BIN)/python -m tools.notebooks $(NB)

clean:  ## remove what make made; data and your notebooks stay
	rm -rf .venv .venv-oldest .pytest_cache .ruff_cache runs *.egg-info

.venv/ready: requirements.txt constraints.txt pyproject.toml
	@$(PYTHON) -c "import sys; v = sys.version_info; sys.exit(0 if (3, 10) <= v < (3, 14) else 'Python 3.10 to 3.13 is needed, this is %d.%d. Name another one: make lab PYTHON=python3.12' % v[:2])"
	@echo "Setting up .venv with TensorFlow and JupyterLab: once, some minutes, 3 GB of disk."
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --constraint constraints.txt --editable .
	@touch .venv/ready
