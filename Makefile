PYTHON ?= python3
ifeq ($(OS),Windows_NT)
BIN := .venv/Scripts
else
BIN := .venv/bin
endif

# How many tests run in parallel; make test JOBS=0 runs them one after another. A test file, or a notebook, stays in one
# process. Processes that run in parallel get one thread each, since two processes of two threads would wait for each
# other on two cores, and their claims about time are reported, not enforced.
JOBS ?= 2
ONE_THREAD = OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 TF_NUM_INTRAOP_THREADS=1 TF_NUM_INTEROP_THREADS=1
PARALLEL = -n $(JOBS) --dist loadfile --no-loadscope-reorder
NBVAL = -m pytest -c tests/nbval.ini --rootdir=. --durations=5
# Which notebooks to run; see tools/choose.py.
CHOICE ?= tested
CHOSEN = $$($(BIN)/python -m tools.choose $(CHOICE))

.PHONY: lab site help test test-all test-oldest notebook-test timing-test claims-margin mutate check fix bench experiments notebooks clean

# What `make` alone does.
.DEFAULT_GOAL := lab

##@ Learn
lab: .venv/ready  ## set up the environment, once, and open your copy of the lessons in JupyterLab
	$(BIN)/dlkit lab $(if $(LAB_OPTIONS),-- $(LAB_OPTIONS))

site: .venv/site  ## the lessons as web pages: build/site/index.html
	$(BIN)/python site/sources.py
	$(BIN)/python -m sphinx --fail-on-warning --keep-going --quiet -d build/site-doctrees -c site build/site-source build/site
	@echo "Open build/site/index.html in a browser; it needs no network."

help:  ## list these commands
	@awk -F ':.*## ' '/^##@ / { print (n++ ? "\n" : "") substr($$0, 5) } \
		/^[a-z-]+:.*## / { printf "  make %-15s %s\n", $$1, $$2 }' Makefile

##@ Test
# A claim that does not hold raises an error in these; in the lab it is a red box.
test test-all test-oldest notebook-test timing-test notebooks: export DLKIT_STRICT = 1

test: .venv/ready  ## unit tests, then every lesson as a test: about 20 minutes on two cores
	$(ONE_THREAD) $(BIN)/python -m pytest $(PARALLEL) --durations=15
	$(MAKE) notebook-test

notebook-test: .venv/ready  ## only the lessons and the solutions that train: make notebook-test [NB=notebooks/03_backpropagation.ipynb]
	$(if $(NB),$(BIN)/python $(NBVAL) $(NB),\
	$(ONE_THREAD) DLKIT_TIMING=report $(BIN)/python -m tools.fork_kernels $(BIN)/python $(NBVAL) $(PARALLEL) $(CHOSEN))

timing-test: .venv/ready  ## the notebooks with claims about time, one after another; needs an otherwise idle machine
	$(BIN)/python -m tools.fork_kernels $(BIN)/python $(NBVAL) $$($(BIN)/python -m tools.choose timing)

test-all: .venv/ready  ## everything, in hours: also killed trainings, each cell twice, JupyterLab, all solutions
	$(BIN)/python -m pytest -m "slow or not slow" -rsxX
	$(BIN)/python $(NBVAL) notebooks

test-oldest:  ## all tests with the oldest package versions that requirements.txt allows: make test-oldest PYTHON=python3.11
	$(PYTHON) -m venv .venv-oldest
	sed -E 's/ *#.*//; s/>=([0-9.]+).*/==\1/' requirements.txt > .venv-oldest/oldest.txt
	.venv-oldest/bin/python -m pip install --constraint .venv-oldest/oldest.txt --requirement requirements.txt --editable .
	.venv-oldest/bin/python -m pytest
	.venv-oldest/bin/python $(NBVAL) $(or $(NB),notebooks)

##@ Change a lesson or dlkit
check: .venv/ready  ## lint, format and form of code and notebooks; the pre-commit hooks run the same
	$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/python -m tools.lint_notebooks

fix: .venv/ready  ## fix what `make check` reports, where a program can
	$(BIN)/python -m tools.lint_notebooks --fix; $(BIN)/ruff check --fix . ; $(BIN)/ruff format .

notebooks: .venv/ready  ## execute notebooks and save them with their outputs: make notebooks [NB=notebooks/03_backpropagation.ipynb]
	$(BIN)/python -m tools.notebooks $(NB)

mutate: .venv/ready  ## plant errors in the solutions of exercises and report those that a checker accepts
	$(BIN)/python -m tools.mutate

claims-margin: .venv/ready  ## how far each claim is from its bound, over five seeds, in hours: make claims-margin [NB=notebooks/06_evaluation.ipynb]
	$(BIN)/python -m tools.claims_margin $(NB)

##@ Measure
bench: .venv/ready  ## the benchmarks, in minutes: make bench [NAME=pipeline]
	$(BIN)/python -m benchmarks $(NAME)

experiments: .venv/ready  ## run the long experiment of a lesson and save its table: make experiments LESSON=13
	$(BIN)/python -m benchmarks.experiments $(LESSON)

##@ Clean up
clean:  ## delete the environment, caches and the folder runs with its trainings; data and your notebooks stay
	rm -rf .venv .venv-oldest .pytest_cache .ruff_cache runs build dist *.egg-info

.venv/ready: requirements.txt constraints.txt pyproject.toml
	@$(PYTHON) -c "import sys; v = sys.version_info; sys.exit(0 if (3, 11, 5) <= v < (3, 14) else 'Python 3.11.5 to 3.13 is needed, this is %d.%d.%d. Name another one: make lab PYTHON=python3.12' % v[:3])"
	@echo "Setting up .venv with TensorFlow and JupyterLab: once, some minutes, 3 GB of disk."
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --constraint constraints.txt --requirement requirements.txt --editable .
	@touch .venv/ready

.venv/site: .venv/ready
	@echo "Installing Sphinx for the site, once."
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable ".[site]"
	@touch .venv/site
