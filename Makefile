# Each target works as the first command on a machine with Python 3.11 and make; conformance also
# wants Go, and interop and browser Node.js.

PYTHON ?= python3
# which cases of the conformance suite: plaintext or full
CONFIG ?= plaintext
# CI installs the versions that constraints.txt names, and Envoy; everybody else what is newest.
CONSTRAIN := $(if $(filter true,$(CI)),--constraint constraints.txt)
GROUPS := --group dev $(if $(filter true,$(CI)),--group envoy)
# how long each target is fuzzed
FUZZ_SECONDS ?= 60
BIN := .venv/bin

.PHONY: serve test lint conformance protobuf-conformance interop browser bench fuzz

# on port 8080, or $PORT
serve: .venv/installed
	$(BIN)/dynconnect serve examples/eliza/eliza.binpb --plugins examples/eliza/plugins

test: .venv/installed
	$(BIN)/pytest

lint: .venv/installed
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

conformance: .venv/installed
	$(BIN)/python tests/conformance/run $(CONFIG)
	$(BIN)/python tests/conformance/run client

# protobuf's own suite for our codecs
protobuf-conformance: .venv/installed
	$(BIN)/python tests/protobuf_conformance/run

interop: .venv/installed
	$(BIN)/python tests/interop/run

# the explorer, and clients of other origins, in a real browser; wants one, and Node.js
browser: .venv/installed
	$(BIN)/python tests/browser/run

# writes docs/benchmarks.md; wants h2load
bench: .venv/installed
	$(BIN)/python -m pip install --quiet $(CONSTRAIN) --group bench
	$(BIN)/python tests/bench/run

fuzz: .venv/installed
	$(BIN)/python -m pip install --quiet --group fuzz
	@for target in tests/fuzz/fuzz_*.py; do \
		echo "$$target"; $(BIN)/python "$$target" -max_total_time=$(FUZZ_SECONDS) || exit 1; \
	done

.venv/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	# pip knows dependency groups since 25.1; Python 3.11 brings an older one
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade "pip>=25.1" $(CONSTRAIN)
	$(BIN)/python -m pip install --quiet $(CONSTRAIN) --editable . $(GROUPS)
	touch $@
