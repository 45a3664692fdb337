# `make demo` and `make test` need Python 3.11 to 3.13 and make; they do the rest.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
export UV_PYTHON_DOWNLOADS := never

.PHONY: demo test test-page test-formats check format bench pretrained torture clean setup

setup: $(VENV)/.synced

# uv reads uv.lock, so that everyone gets the same versions; it comes from the registry like any other package.
$(VENV)/.synced: uv.lock pyproject.toml setup.cfg
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet uv
	$(BIN)/uv sync --frozen --inexact --quiet --extra features
	touch $@

demo: setup
	$(BIN)/facecond demo

test: setup
	$(BIN)/python -m pytest --durations=30

# The studio's page, and the exported one, in Chromium (apt-get install chromium).
test-page: setup
	$(BIN)/python -m pytest tests/studio tests/export -m slow -n 0 -rs

# What `facecond synthesize` writes, read by its owners' libraries: datasets and mlcroissant, with Arrow and pandas 75 MB.
test-formats: setup
	$(BIN)/uv sync --frozen --inexact --quiet --extra features --group formats
	$(BIN)/python -m pytest tests/commands/test_synthesize.py -n 0 -rs -k "reads"

check: setup
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: setup
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: setup
	$(BIN)/python -m benchmarks.run

pretrained: setup
	$(BIN)/python -m benchmarks.bundle

torture: setup
	$(BIN)/python -m tests.torture

clean:
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache
