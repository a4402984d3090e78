# Every target prepares what it needs, so any of them can be the first command on a fresh machine.

PYTHON ?= python3
BENCH_ARGS ?=
DEMO_ARGS ?=
TEST_ARGS ?=

VENV := .venv
BENCH_VENV := .venv-bench
DOCS_VENV := .venv-docs
RUFF := $(shell sed -n 's/.*"\(ruff==[^"]*\)".*/\1/p' pyproject.toml)

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help setup demo test lint docs bench size clean

help: ## Print this list
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/\1|\2/p' $(MAKEFILE_LIST) | awk -F '|' '{ printf "make %-7s %s\n", $$1, $$2 }'

setup: $(VENV)/.ready ## Make .venv with the library, the tests' and the examples' needs

demo: $(VENV)/.ready ## Train the language model of examples/ (DEMO_ARGS="--seconds 5")
	$(VENV)/bin/python examples/language_model.py $(DEMO_ARGS)

test: $(VENV)/.ready ## Run the tests and the docstrings' examples (TEST_ARGS="-k cells")
	$(VENV)/bin/python -m pytest $(TEST_ARGS)

lint: $(VENV)/.lint-ready ## Check style and formatting with the pinned ruff
	$(VENV)/bin/ruff check
	$(VENV)/bin/ruff format --check

docs: $(DOCS_VENV)/.ready ## Build the documentation into site/, any warning is an error
	NO_MKDOCS_2_WARNING=1 $(DOCS_VENV)/bin/python -m mkdocs build --strict

bench: $(BENCH_VENV)/.ready ## Measure numrnn and its peers (BENCH_ARGS="--only LSTM --threads 1")
	$(BENCH_VENV)/bin/python -m benchmarks $(BENCH_ARGS)

size: ## Print the lines of code in each room of numrnn/
	@for room in numrnn/*.py numrnn/*/; do \
		case $$room in *__pycache__/) continue ;; esac; \
		printf '%6d  %s\n' "$$(find $$room -name '*.py' -exec cat {} + | wc -l)" $$room; \
	done
	@printf '%6d  %s\n' "$$(find numrnn -name '*.py' -exec cat {} + | wc -l)" total

# The environments and runs/ stay. Numba's compiled kernels lie in __pycache__ and go.
clean: ## Remove built files, caches and compiled kernels
	rm -rf build dist site .pytest_cache .hypothesis .ruff_cache .cache
	find . -path './.venv*' -prune -o -path ./.git -prune -o -type d -name __pycache__ -prune -exec rm -rf {} +

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.ready: pyproject.toml | $(VENV)/bin/python
	$(VENV)/bin/python -m pip install --quiet -e ".[test,examples]"
	@touch $@

$(VENV)/.lint-ready: pyproject.toml | $(VENV)/bin/python
	$(VENV)/bin/python -m pip install --quiet "$(RUFF)"
	@touch $@

$(DOCS_VENV)/bin/python:
	$(PYTHON) -m venv $(DOCS_VENV)

$(DOCS_VENV)/.ready: pyproject.toml | $(DOCS_VENV)/bin/python
	$(DOCS_VENV)/bin/python -m pip install --quiet -e ".[docs]"
	@touch $@

$(BENCH_VENV)/bin/python:
	$(PYTHON) -m venv $(BENCH_VENV)

$(BENCH_VENV)/.ready: pyproject.toml | $(BENCH_VENV)/bin/python
	$(BENCH_VENV)/bin/python -m pip install --quiet -e ".[bench]"
	@touch $@
