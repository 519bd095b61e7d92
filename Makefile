# Everything here also works without make: see "Without make" in README.md.

# The newest Python at hand, 3.10 or later; `make PYTHON=python3.12 test` chooses another.
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11 python3.10 python; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 10))' 2>/dev/null && echo $$p && break; done)
VENV := .venv
BIN := $(VENV)/bin
# These load both cores by themselves.
ONCE := --ignore=tests/test_cores.py --ignore=tests/test_cores_machine.py

.PHONY: demo test random browser lint types notebooks bench ops sanitize clean docs

demo: $(VENV)/demo.installed ## train on the moons, on tumours and on digits, draw graphs; pictures in out/
	$(BIN)/python demos/train.py
	$(BIN)/python demos/digits.py

test: $(VENV)/test.installed ## run the tests on both cores, with the gate on coverage
	$(BIN)/python -m pytest --numprocesses=auto --dist=worksteal
	MICROGRAD_PURE=1 $(BIN)/python -m pytest --numprocesses=auto --dist=worksteal --cov -m "not outside" $(ONCE)
	MICROGRAD_PURE=1 $(BIN)/python -m pytest --numprocesses=auto --dist=worksteal -m outside

random: $(VENV)/test.installed ## compare random programs with the loop, for a minute on each core
	$(BIN)/python tests/random_programs.py --seconds 60
	MICROGRAD_PURE=1 $(BIN)/python tests/random_programs.py --seconds 60

browser: $(VENV)/test.installed $(VENV)/browser.installed ## run the tests that need Chromium, which must be there
	$(BIN)/python -m pytest tests/browser --numprocesses=auto

bench: $(VENV)/test.installed $(VENV)/peers.made ## time it beside the original, floats and XAD
	$(BIN)/python benchmarks/run.py --original $(VENV)/original/bin/python --xad $(VENV)/xad/bin/python

ops: $(VENV)/test.installed ## write the C form of the table, after a change to it
	$(BIN)/python tools/ops_header.py

sanitize: $(VENV)/test.installed ## run the tests under sanitizers, and a short run under valgrind
	tools/sanitize $(BIN)/python

lint: $(VENV)/lint.installed ## look for mistakes and for unformatted code
	$(BIN)/ruff check
	$(BIN)/ruff format --check

types: $(VENV)/lint.installed $(VENV)/test.installed ## check the type hints
	$(BIN)/mypy

notebooks: $(VENV)/notebook.installed $(VENV)/demo.installed ## run the notebooks
	$(BIN)/python -m pytest --nbmake --nbmake-timeout=300 demos -p no:cacheprovider

docs: $(VENV)/docs.installed ## build the site into out/docs; its notebooks run, warnings are errors
	$(BIN)/sphinx-build --builder html --fail-on-warning --keep-going --jobs auto --quiet docs out/docs
	$(BIN)/python tools/check_site.py out/docs

clean: ## remove what the other targets made
	rm -rf $(VENV) build dist out *.egg-info micrograd/*.so .coverage .*_cache .hypothesis

# What the benchmarks compare with, each in an environment of its own.
$(VENV)/peers.made: $(VENV)/made
	$(PYTHON) -m venv $(VENV)/original
	$(VENV)/original/bin/python -m pip install --quiet --disable-pip-version-check micrograd==0.1.0
	$(PYTHON) -m venv $(VENV)/xad
	$(VENV)/xad/bin/python -m pip install --quiet --disable-pip-version-check xad
	@touch $@

# One environment; each job installs what it needs (the extras of pyproject.toml) once.
$(VENV)/%.installed: $(VENV)/made pyproject.toml setup.py $(wildcard micrograd/native/*.[ch])
	@echo "Installing micrograd[$*] into $(VENV) ..."
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[$*]'
	@touch $@

$(VENV)/made:
	@test -n "$(PYTHON)" || { echo "micrograd needs Python 3.10 or newer; found none"; exit 1; }
	@echo "Making $(VENV) with $$($(PYTHON) --version) ..."
	$(PYTHON) -m venv $(VENV)
	@touch $@
