# Everything here also works without make: see "Without make" in README.md.

# The newest Python at hand, 3.10 or later; `make PYTHON=python3.12 test` chooses another.
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11 python3.10 python; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 10))' 2>/dev/null && echo $$p && break; done)
VENV := .venv
BIN := $(VENV)/bin

.PHONY: demo test lint types notebooks clean

demo: $(VENV)/demo.installed ## train on the moons and on real tumours, pictures in out/
	$(BIN)/python demos/train.py

test: $(VENV)/test.installed ## run the tests, with the gate on coverage
	$(BIN)/python -m pytest --cov

lint: $(VENV)/lint.installed ## look for mistakes and for unformatted code
	$(BIN)/ruff check
	$(BIN)/ruff format --check

types: $(VENV)/lint.installed $(VENV)/test.installed ## check the type hints
	$(BIN)/mypy

notebooks: $(VENV)/notebook.installed $(VENV)/demo.installed ## run the notebooks
	$(BIN)/python -m pytest --nbmake --nbmake-timeout=300 demos -p no:cacheprovider

clean: ## remove what the other targets made
	rm -rf $(VENV) build dist out *.egg-info .coverage .*_cache .hypothesis

# One environment; each job installs what it needs (the extras of pyproject.toml) once.
$(VENV)/%.installed: $(VENV)/made pyproject.toml
	@echo "Installing micrograd[$*] into $(VENV) ..."
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[$*]'
	@touch $@

$(VENV)/made:
	@test -n "$(PYTHON)" || { echo "micrograd needs Python 3.10 or newer; found none"; exit 1; }
	@echo "Making $(VENV) with $$($(PYTHON) --version) ..."
	$(PYTHON) -m venv $(VENV)
	@touch $@
