# Each command sets up whatever it needs, in .venv and _build; only a browser, where there is none,
# comes to the system.
PYTHON ?= python3
RESOLUTION ?= highest
# tests side by side, of which each may have a browser or a build
WORKERS ?= 2
BIN := .venv/bin
READY := .venv/.ready
PIP := $(BIN)/pip install --disable-pip-version-check --no-deps
UV := $(BIN)/uv pip install --python $(BIN)/python --no-deps
LAB := JUPYTER_CONFIG_DIR="$(CURDIR)/_build/lab" PATH="$(CURDIR)/$(BIN):$$PATH"
BUILD := $(BIN)/jupyter-book build . -W -n --keep-going
# tests say how many had none
BROWSER := @$(BIN)/python -m bookbuild.takeaway.pdf browser || true
# files in their order, not the longest list first: those of the press take longest, and few tests
PYTEST := $(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder

.PHONY: help book epub pdf site test test-all check lab claims falsehoods links bench lock clean
.DEFAULT_GOAL := help

help:  ## show these lines
	@sed -n 's/^\([a-z-]*\):.*## /make \1\t/p' $(MAKEFILE_LIST) | expand -t 14

book: $(READY)  ## build the book into _build/html; any warning is an error
	$(BUILD)

epub: book  ## build the book for e-readers, in _build
	$(BIN)/python -m bookbuild.takeaway.epub

pdf: book  ## build the book for paper, in _build; gets a browser where there is none
	$(BIN)/python -m bookbuild.takeaway.pdf

site: export BOOK_TAKE_AWAY = 1
site: epub pdf  ## build what is published: the book, and both of these to take away
	cp _build/*.epub _build/*.pdf _build/html

test: book  ## build and test: the science, the press, what a reader sees; takes minutes
	$(BROWSER)
	$(PYTEST) -m "not slow"

# OPTIONS="-m slow" are pytest's, for a part of it; with HYPOTHESIS_PROFILE=book inputs as in `make test`
test-all: $(if $(OPTIONS),book,test)  ## and all that takes longer, on ten times the inputs
	$(BROWSER)
	HYPOTHESIS_PROFILE=$(or $(HYPOTHESIS_PROFILE),thorough) \
	  $(PYTEST) $(or $(OPTIONS),-m "slow or hypothesis")

check: $(READY)  ## look at the code without running it: style, docstrings, types, spelling
	$(BIN)/ruff check --config code/pyproject.toml .
	$(BIN)/mypy --config-file code/pyproject.toml code/mixtures
	$(BIN)/codespell --toml code/pyproject.toml

lab: $(READY)  ## open the chapters as notebooks in JupyterLab, as Binder does
	$(LAB) bash .binder/postBuild
	$(LAB) .binder/start jupyter lab --LabApp.default_url=/lab/tree/notebooks/mixture.ipynb \
	  $(if $(filter 0,$(shell id -u)),--allow-root)

claims: $(READY)  ## measure all claims under sets of seeds and machines (SETS=24 CHAPTERS="beyond")
	$(BIN)/python -m bookbuild.execute.seeds $(or $(SETS),24) $(CHAPTERS)

falsehoods: book  ## plant falsehoods one by one: is the book refused? an hour (CHAPTERS="mixture")
	$(BIN)/python tests/falsehoods.py

links: book  ## ask every external link whether it answers: _build/linkcheck/output.txt
	$(BIN)/jupyter-book build . --builder custom --custom-builder linkcheck

bench: $(READY)  ## time the book beside the source note (ROUNDS=3), each chapter, and the modules
	$(BIN)/python tests/bench_book.py
	$(BIN)/python -m tests.bench

lock: $(READY)  ## resolve code/pyproject.toml anew into requirements.txt (RESOLUTION=highest)
	$(BIN)/python -m venv _build/lock
	_build/lock/bin/pip install --quiet uv
	_build/lock/bin/uv pip compile --quiet --universal --python-version 3.12 --all-extras --upgrade \
	  --resolution $(RESOLUTION) --no-header --no-annotate --no-emit-index-url --no-emit-find-links \
	  --output-file _build/lock/pins.txt code/pyproject.toml
	@{ \
	  echo '# Made by `make lock` from code/pyproject.toml, for Python 3.12 and later. Do not edit.'; \
	  cat _build/lock/pins.txt; echo '-e ./code'; } > _build/lock/requirements.txt
	mv _build/lock/requirements.txt requirements.txt

clean:  ## remove all that was made
	rm -rf .venv _build

$(READY): requirements.txt code/pyproject.toml
	@command -v $(PYTHON) > /dev/null \
	  || { echo "make: $(PYTHON) is missing; install Python 3.12 or later" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 12))' \
	  || { echo "make: Python 3.12 or later is needed, and $$($(PYTHON) --version 2>&1) was found;" \
	  "try make PYTHON=python3.13" >&2; exit 1; }
	@[ -w . ] || { echo "make: $(CURDIR) cannot be written;" \
	  "copy the checkout to a folder that can" >&2; exit 1; }
	@$(PYTHON) -m venv .venv > /dev/null \
	  || { echo "make: $(PYTHON) cannot make a virtual environment;" \
	  "on Debian and Ubuntu: apt-get install python3-venv" >&2; exit 1; }
	@echo "setting up .venv; this takes a minute or two"
	@# uv takes a fifth of pip's time; pip knows every setting that a machine may have
	@sed '/^-e /d' requirements.txt > .venv/pins.txt
	@sed -n '/^uv==/p' requirements.txt > .venv/uv.txt
	@{ $(PIP) -r .venv/uv.txt && $(UV) -r .venv/pins.txt || $(PIP) -r .venv/pins.txt; } \
	  > .venv/pip.log 2>&1 && $(PIP) --no-build-isolation -e ./code >> .venv/pip.log 2>&1 \
	  || { echo "make: pip could not install requirements.txt; is the network reachable?" \
	  ".venv/pip.log ends: $$(tail -n 1 .venv/pip.log)" >&2; exit 1; }
	@touch $@
