# Two commands do everything, each with its own set-up: `make demo` and `make test`.
PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint requirements.lock

TARGET ?= $(shell uname -m)
NPM := .oracles/npm
WEB := edgekit/web/vendor/pinned.txt

.PHONY: demo test lint types layers check packages test-packages wheelhouse deb single-folder clean

demo: .venv/installed
	$(BIN)/edgekit demo

test: .venv/installed-tests .oracles/llama.cpp $(NPM)/installed $(WEB)
	$(BIN)/python -m pytest --numprocesses 2 --dist loadfile

# What CI runs beside the tests.
check: lint types layers

lint: .venv/installed-tests
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: .venv/installed-tests
	$(BIN)/mypy

layers: .venv/installed-tests
	$(BIN)/lint-imports

# Compiling llama.cpp takes about four minutes on two cores the first time; pip keeps the built wheel.
.venv/installed: pyproject.toml requirements.lock
	@echo "Installing edgekit into .venv (the first time compiles llama.cpp: some minutes) ..."
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(PIP) --editable .
	@touch $@

.venv/installed-tests: .venv/installed
	@echo "Installing what the tests need (torch, transformers, peft as oracles) ..."
	$(PIP) --group oracles --group dev --editable .[onnx]
	@touch $@

# llama.cpp's own converter and templates, at the very commit that the installed bindings wrap.
.oracles/llama.cpp: requirements.lock tests/oracles/fetch.py | .venv/installed-tests
	$(BIN)/python tests/oracles/fetch.py

# transformers.js, at the versions of the lock file; its install scripts would only fetch what no test needs.
$(NPM)/installed: tests/oracles/npm/package-lock.json | .venv/installed-tests
	mkdir -p $(NPM)
	cp tests/oracles/npm/package.json tests/oracles/npm/package-lock.json $(NPM)
	cd $(NPM) && $(abspath $(BIN))/npm ci --ignore-scripts --no-audit --no-fund --loglevel=error
	@touch $@

# The libraries of the page that chats in a browser; a wheel needs them, too.
$(WEB): tools/fetch_web.py | .venv/installed-tests
	$(BIN)/python tools/fetch_web.py

# packaging/README.md says what each needs and how long it takes. PYTHON is that of the system that they are for.
packages: $(WEB)
	$(PYTHON) packaging/source.py
	$(MAKE) single-folder
	$(MAKE) deb TARGET=x86_64
	$(MAKE) deb TARGET=aarch64

# Each in a clean Debian: installed without compiler or network, used, removed. Wants root, and Debian's own tools.
test-packages: packages
	packaging/test_wheelhouse.sh
	packaging/test_processors.sh
	packaging/test_deb.sh
	packaging/test_single_folder.sh
	packaging/test_container.sh
	packaging/test_arm64.sh

wheelhouse: $(WEB)
	$(PYTHON) packaging/wheelhouse.py --target $(TARGET)

deb: wheelhouse
	$(PYTHON) packaging/deb.py --target $(TARGET)

single-folder: wheelhouse
	$(PYTHON) packaging/single_folder.py

clean:
	rm -rf .venv .oracles build/packages dist
