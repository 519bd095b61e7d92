# Everything here also works without make: see CONTRIBUTING.md.

# The newest Python at hand, 3.10 or later; `make PYTHON=python3.12 test` chooses another.
PYTHON ?= $(shell for p in python3 python3.14 python3.13 python3.12 python3.11 python3.10 python; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 10))' 2>/dev/null && echo $$p && break; done)
VENV := .venv
BIN := $(VENV)/bin
PIP := -m pip --disable-pip-version-check
PYTEST := -m pytest --numprocesses=auto --dist=worksteal
SCHEMA := $(BIN)/check-jsonschema --quiet --builtin-schema vendor.
ARRAYS := jax torch
# These load both cores by themselves.
ONCE := --ignore=tests/test_cores.py --ignore=tests/test_cores_machine.py --ignore=tests/test_fuzz_cores.py

SHELL := bash
# Recipes print what they do; `make -n` shows the commands.
.SILENT:
.PHONY: demo help test random arrays cluster browser lab lint types notebooks bench ops sanitize clean docs axe

demo: $(VENV)/demo.installed ## train on moons, tumours, digits and names, draw graphs; pictures in out/
	$(BIN)/python demos/train.py
	echo
	$(BIN)/python demos/digits.py
	echo
	$(BIN)/python demos/microgpt.py

help: ## list what make can do
	sed -n 's/^\([a-z]*\):.*## \(.*\)/make \1\t\2/p' Makefile | expand -t 17

test: $(VENV)/test.installed $(VENV)/onnx.installed ## run the tests on both cores, with the gate on coverage
	echo "== The C core"
	$(BIN)/python $(PYTEST)
	echo "== The Python core, with coverage"
	MICROGRAD_PURE=1 $(BIN)/python $(PYTEST) --cov -m "not outside and not long" $(ONCE)
	echo "== The Python core, held against answers from outside"
	MICROGRAD_PURE=1 $(BIN)/python $(PYTEST) -m "outside and not long"

random: $(VENV)/test.installed ## compare random programs with the loop over the rows, for a minute on each core
	$(BIN)/python tests/random_programs.py --seconds 60 $(addprefix --seed ,$(SEED)) & \
	MICROGRAD_PURE=1 $(BIN)/python tests/random_programs.py --seconds 60 $(addprefix --seed ,$(SEED)); \
	python_core=$$?; wait $$! && exit $$python_core

arrays: $(VENV)/test.installed $(ARRAYS:%=$(VENV)/%.installed) ## run programs on the arrays of JAX and PyTorch (ARRAYS=jax for one)
	$(BIN)/python -m pytest tests/test_programs_arrays.py

cluster: $(VENV)/test.installed $(VENV)/dask.installed ## run programs on a cluster of two processes, and kill some
	MICROGRAD_KILLS=20 $(BIN)/python -m pytest tests/test_programs_cluster.py

browser: $(VENV)/test.installed $(VENV)/browser.installed $(VENV)/docs.installed ## test the stepper and the live page in Chromium
	$(BIN)/python -m pytest tests/browser --numprocesses=auto

lab: $(VENV)/test.installed $(VENV)/lab.installed ## release and grade the lab with nbgrader, and with otter
	$(BIN)/python -m pytest tests/grading --numprocesses=auto --dist=loadfile

bench: $(VENV)/test.installed $(VENV)/peers.made ## time it beside the original, floats and XAD
	$(BIN)/python benchmarks/run.py --original $(VENV)/original/bin/python --xad $(VENV)/xad/bin/python

ops: $(VENV)/test.installed ## write what is made of the table, after a change to it: C, docstrings, stubs
	MICROGRAD_PURE=1 $(BIN)/python tools/ops_header.py
	$(BIN)/python tools/stubs.py

sanitize: $(VENV)/test.installed ## run the tests under sanitizers, and a short run under valgrind
	tools/sanitize $(BIN)/python

lint: $(VENV)/lint.installed ## look for mistakes and for unformatted code
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(SCHEMA)github-workflows .github/workflows/*.yml
	$(SCHEMA)github-issue-forms .github/ISSUE_TEMPLATE/bug.yml .github/ISSUE_TEMPLATE/idea.yml
	$(SCHEMA)github-issue-config .github/ISSUE_TEMPLATE/config.yml
	$(SCHEMA)citation-file-format CITATION.cff

types: $(VENV)/lint.installed $(VENV)/test.installed ## check the type hints, and that editors know them
	$(BIN)/mypy
	$(BIN)/python tools/known_types.py

notebooks: $(VENV)/notebook.installed $(VENV)/demo.installed ## run the notebooks
	$(BIN)/python -m pytest --nbmake --nbmake-timeout=300 demos/*.ipynb -p no:cacheprovider

docs: $(VENV)/docs.installed ## build the site into out/docs; its notebooks run, warnings are errors
	echo "Building the site: its cells run, which takes a minute or two ..."
	$(BIN)/sphinx-build --builder html --fail-on-warning --keep-going --jobs auto --quiet docs out/docs
	$(BIN)/python tools/check_site.py out/docs
	echo "Open out/docs/index.html"

axe: docs $(VENV)/browser.installed ## open every page of the site in Chromium, and look for obstacles to readers
	$(BIN)/python tools/check_axe.py out/docs

clean: ## remove what the other targets made
	rm -rf $(VENV) build dist out *.egg-info micrograd/*.so micrograd/native/*.so .coverage .*_cache .hypothesis

# The peers of the benchmarks, each in an environment of its own.
$(VENV)/peers.made: $(VENV)/made
	echo "Installing what the benchmarks compare with: micrograd 0.1.0, XAD ..."
	$(PYTHON) -m venv $(VENV)/original
	$(VENV)/original/bin/python $(PIP) install --quiet micrograd==0.1.0
	$(PYTHON) -m venv $(VENV)/xad
	$(VENV)/xad/bin/python $(PIP) install --quiet xad
	touch $@

# One environment; each job installs what it needs (the extras of pyproject.toml) once.
$(VENV)/%.installed: $(VENV)/made pyproject.toml setup.py $(wildcard micrograd/native/*.[ch])
	echo "Installing micrograd[$*] into $(VENV), with its C core where there is a compiler:"
	set -o pipefail; $(BIN)/python $(PIP) install --progress-bar=off --editable '.[$*]' | \
		while read -r word name rest; do case "$$word" in \
			Collecting) echo "  $$name" ;; \
			Installing) [ "$$name" != collected ] || echo "Installing $$rest" | fold -s -w 96 ;; \
		esac; done
	touch $@

$(VENV)/made:
	test -n "$(PYTHON)" || { echo "micrograd needs Python 3.10 or newer; found none"; exit 1; }
	echo "Making $(VENV) with $$($(PYTHON) --version) ..."
	$(PYTHON) -m venv $(VENV)
	touch $@
