# make demo: train the flagship on MNIST.   make test: everything that CI checks.   make help: the rest.
PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin
# Linux only: the address of PyTorch's CPU index (pytorch.org, "Get started", CPU) avoids several GB of CUDA.
TORCH_INDEX ?=
# The tests of one file share a worker, and so what their fixtures train. What Python compiled is kept (which an
# environment may forbid): a hundred processes would compile Ganvas anew. Three workers for two cores: a fifth of the
# time of each is spent in waiting for a browser, a server, a process that starts.
PYTEST = PYTHONDONTWRITEBYTECODE= OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 3 --dist loadfile --no-loadscope-reorder --durations 40 --durations-min 2
TESTS =
PIP = $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt
EMPTY = build/empty/bin/python -m pip install --quiet --disable-pip-version-check -c constraints.txt

.PHONY: help demo test test-all quick check types stale generated docs wheel wheel-check fix fuzz golden screenshots bench bench-quality clean

help: ## show the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 10

demo: $(VENV)/.demo ## install into .venv and train the flagship on MNIST
	$(BIN)/ganvas train mnist

test: $(VENV)/.test ## install what the checks need and run them all but the slow tests
	@$(MAKE) --no-print-directory check

check: ## format, lint, types, generated pages, the site, tests (after make test has installed them once)
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	@$(MAKE) --no-print-directory --jobs 2 types stale docs
	$(PYTEST) $(TESTS)

types:
	$(BIN)/basedpyright --level error --pythonpath $(BIN)/python

stale:  # are the generated pages up to date?
	$(BIN)/python docs/make_cli.py --check
	$(BIN)/python docs/make_names.py --check
	$(BIN)/python docs/make_house.py --check

quick: ## the tests that end soon, in a minute (after make test has installed them once)
	$(PYTEST) -m 'not slow and not long'

test-all: ## like test, and the slow tests as well: every recipe killed, the README on the whole of MNIST
	@$(MAKE) --no-print-directory test TESTS="-m ''"

fix: ## format, and fix what can be fixed automatically
	$(BIN)/ruff format
	$(BIN)/ruff check --fix

generated: ## write the generated pages and the picture of the house anew
	$(BIN)/python docs/make_cli.py
	$(BIN)/python docs/make_names.py
	$(BIN)/python docs/make_house.py

docs: $(VENV)/.docs ## build the site into build/site; a warning is an error
	$(BIN)/python -m sphinx -q -W --keep-going -b html -d build/doctrees docs build/site
	@echo "The site: build/site/index.html"

wheel: $(VENV)/.test ## build the wheel and the sdist into dist/
	rm -rf dist
	$(BIN)/python -m build --outdir dist

wheel-check: wheel ## install each in an empty environment and train with it (minutes)
	rm -rf build/empty && $(PYTHON) -m venv build/empty
	$(EMPTY) $(if $(TORCH_INDEX),--index-url $(TORCH_INDEX)) torch
	for file in dist/*.whl dist/*.tar.gz; do \
	  $(EMPTY) --force-reinstall --no-deps $$file && $(EMPTY) $$file && cd build/empty && \
	  bin/ganvas train mnist --smoke && bin/ganvas sample mnist && bin/ganvas write 2026 && cd ../.. || exit 1; \
	done

fuzz: $(VENV)/.test ## damage each kind of file that Ganvas reads in 5,000 ways (half an hour)
	FUZZ=5000 OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 tests/fuzz

golden: ## write tests/training/golden anew (a change of the losses must be meant)
	GANVAS_GOLDEN=write OMP_NUM_THREADS=1 $(BIN)/python -m pytest tests/training/test_golden.py

screenshots: $(VENV)/.test ## take the pictures of the studio anew (minutes; needs Chromium)
	$(BIN)/python docs/make_screenshots.py

bench: $(VENV)/.test ## measure the speed of each recipe and write docs/benchmarks.md
	$(BIN)/python benchmarks/speed.py --write

bench-quality: $(VENV)/.test ## measure how soon each MNIST recipe becomes how good (hours; see docs/benchmarks.md)
	$(BIN)/python benchmarks/quality.py train mnist --seeds 0 1 2
	$(BIN)/python benchmarks/quality.py train mnist-best mnist-unlabelled classic-mlp
	$(BIN)/python benchmarks/quality.py write

clean: ## remove the virtual environment (runs are kept)
	rm -rf $(VENV)

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Ganvas needs Python 3.11 or newer; say which one: make PYTHON=python3.12 ..."; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/.torch: constraints.txt | $(VENV)/bin/python
	@echo "Installing PyTorch into $(VENV) (a few minutes the first time)"
	$(PIP) $(if $(TORCH_INDEX),--index-url $(TORCH_INDEX)) torch
	@touch $@

$(VENV)/.demo: $(VENV)/.torch pyproject.toml
	$(PIP) -e .
	@touch $@

$(VENV)/.test: $(VENV)/.torch pyproject.toml
	$(PIP) --no-compile -e '.[dev,docs]'  # Python compiles what the tests import
	@touch $@ $(VENV)/.docs

$(VENV)/.docs: $(VENV)/.torch pyproject.toml
	$(PIP) -e '.[docs]'
	@touch $@
