# Two commands: `make demo` shows what goldvein does, `make test` runs the whole fast suite.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# one thread a process: small networks are slower with two, and tests run side by side
export OMP_NUM_THREADS := 1

.PHONY: demo test lint clean

demo: $(VENV)/ready
	$(BIN)/python examples/digits_demo.py demo

test: $(VENV)/ready lint
	$(BIN)/pytest -n 2

lint: $(VENV)/ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check src tests perf examples
	$(BIN)/mypy

$(VENV)/ready: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet -e '.[dev]' -c constraints.txt
	touch $@

clean:
	rm -rf $(VENV) demo
