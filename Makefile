# Two commands do everything, each with its own set-up: `make demo` and `make test`.
PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint requirements.lock

.PHONY: demo test lint types layers check clean

demo: .venv/installed
	$(BIN)/edgekit demo

test: .venv/installed-tests .oracles/llama.cpp
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
	$(PIP) --group oracles --group dev --editable .
	@touch $@

# llama.cpp's own converter and templates, at the very commit that the installed bindings wrap.
.oracles/llama.cpp: requirements.lock tests/oracles/fetch.py | .venv/installed-tests
	$(BIN)/python tests/oracles/fetch.py

clean:
	rm -rf .venv .oracles
