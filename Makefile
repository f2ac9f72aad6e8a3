# Everything a person or a machine does with this repository. `make` alone prints what there is.

PYTHON ?= python3
VENV   := .venv
PY     := $(VENV)/bin/python
PYTEST := $(PY) -m pytest

# The kernels, one build directory per mode (see setup.py).
CEXT       := $(wildcard cext/*.pyx cext/*.pxd cext/*.h)
RELEASE    := build/release/.built
KERNELS    := mm_monitor.kernels._engine mm_monitor.kernels._merge mm_monitor.kernels._decode mm_monitor.kernels._scan_json mm_monitor.kernels._scan_fix mm_monitor.kernels._messages mm_monitor.kernels._pricing mm_monitor.kernels._accounts mm_monitor.kernels._crossings mm_monitor.kernels._records
# What runs on the debug builds too: whatever can drive a kernel out of bounds.
DEBUG_TESTS := $(wildcard tests/kernels tests/laws $(addprefix tests/unit/,codecs core service sources theo))
# Half of what keeps a processor busy.
LAWS := tests/kernels tests/laws tests/repo tests/acceptance/test_cli_newcomers.py
# What looks at the clock: nothing in a hurry runs beside it.
SERVICE_TESTS := tests/integration
# The same, with services of their own: each half mostly waits. One file of the first is here, so that both take as long.
TRUTH_TESTS := tests/integration/test_app_truth.py
WORLD_TESTS := tests/board tests/contracts tests/deploy tests/faults tests/services
ASAN_TESTS  := $(wildcard tests/kernels tests/laws)
# The sanitizer must be in the process before anything allocates; numpy and Python keep their leaks.
ASAN_ENV     = LD_PRELOAD=$$($${CC:-gcc} -print-file-name=libasan.so) PYTHONMALLOC=malloc \
               ASAN_OPTIONS=detect_leaks=0:alloc_dealloc_mismatch=0

# Commands at once, for two cores: the last in the foreground, the others' words kept in build/NAME.log and shown once
# all have ended. (strip: a name after a line break begins with a blank.)
in_background = ($(2)) >build/$(strip $(1)).log 2>&1 & $(strip $(1))=$$!
ended         = wait $$$(strip $(1)); $(strip $(1))=$$?; cat build/$(strip $(1)).log
beside        = mkdir -p build; $(call in_background,$(1),$(2)); $(3); mine=$$?; $(call ended,$(1)); \
  exit $$((mine | $(strip $(1))))
beside_both   = mkdir -p build; $(call in_background,$(1),$(2)); $(call in_background,$(3),$(4)); $(5); mine=$$?; \
  $(call ended,$(1)); $(call ended,$(3)); exit $$((mine | $(strip $(1)) | $(strip $(3))))

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.NOTPARALLEL:
.PHONY: help preflight venv build build-debug build-asan demo stack tour test test-long proofs fuzz test-debug test-asan lint bench bench-peers bench-plots instructions gaming screenshots services \
        packaging test-wheel dist versions clean

help: ## this list
	@echo "mm-monitor: who keeps the quoting obligation, exactly"
	@echo
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1|\2/p' $(MAKEFILE_LIST) | \
	  awk -F'|' '{ printf "%-20s %s\n", $$1, $$2 }'
	@echo
	@echo "PYTHON=... chooses the interpreter (3.11 or newer), DEMO_ARGS=... adds to 'mm-monitor demo', PEERS_ARGS=... to bench-peers."

## --- environment -------------------------------------------------------------------------------

preflight:
	@command -v $(PYTHON) >/dev/null 2>&1 || \
	  { echo "mm-monitor needs Python 3.11 or newer; '$(PYTHON)' is not on the PATH (make PYTHON=...)." >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "mm-monitor needs Python 3.11 or newer; '$(PYTHON)' is $$($(PYTHON) -V 2>&1) (make PYTHON=...)." >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || \
	  { echo "'$(PYTHON)' has no venv module; on Debian and Ubuntu: apt install python3-venv." >&2; exit 1; }
	@$(PYTHON) -c 'import pathlib, sysconfig, sys; sys.exit(not pathlib.Path(sysconfig.get_path("include"), "Python.h").is_file())' || \
	  { echo "'$(PYTHON)' has no C headers (Python.h); on Debian and Ubuntu: apt install python3-dev." >&2; exit 1; }
	@cc=$${CC:-$$($(PYTHON) -c 'import sysconfig; print((sysconfig.get_config_var("CC") or "cc").split()[0])')}; \
	command -v "$$cc" >/dev/null 2>&1 || \
	  { echo "mm-monitor compiles its kernels and found no C compiler ('$$cc'); on Debian and Ubuntu: apt install gcc libc6-dev." >&2; exit 1; }

$(PY): | preflight
	@echo "==> environment: creating $(VENV) with $$($(PYTHON) -V)"
	@$(PYTHON) -m venv $(VENV)

# Installing compiles the kernels in place, with the build tools of the environment: they come first,
# because Cython's own files are among what the kernels depend on.
BUILD_REQUIRES := 'import tomllib; print(*tomllib.load(open("pyproject.toml", "rb"))["build-system"]["requires"], sep="\n")'
PIP_INSTALL    := $(PY) -m pip install -q --disable-pip-version-check
define INSTALL
@$(PY) -c $(BUILD_REQUIRES) | $(PIP_INSTALL) -r /dev/stdin
@$(PIP_INSTALL) --no-build-isolation -e
endef

$(VENV)/.demo: pyproject.toml setup.py | $(PY) build/release/.configured
	@echo "==> environment: installing the monitor and what the demo needs, compiling the kernels (about a minute)"
	$(INSTALL) '.[demo]'
	@touch $@

$(VENV)/.dev: pyproject.toml setup.py | $(PY) build/release/.configured
	@echo "==> environment: installing the monitor, its tests' and linters' needs, compiling the kernels (about a minute)"
	$(INSTALL) '.[dev]'
	@touch $(VENV)/.demo $@

venv: $(VENV)/.dev ## .venv with everything for development, kernels compiled

## --- kernels -----------------------------------------------------------------------------------

# Cython does not notice new directives: a new setup.py starts the mode's directory over.
build/%/.configured: setup.py pyproject.toml
	@rm -rf build/$*
	@mkdir -p build/$*
	@touch $@

$(RELEASE): $(CEXT) $(VENV)/.demo build/release/.configured
	@echo "==> kernels: release build, in place"
	@$(PY) setup.py -q build_ext --inplace
	@touch $@

build/debug/.built: $(CEXT) $(VENV)/.demo build/debug/.configured
	@echo "==> kernels: debug build (indexes checked), in build/debug/lib"
	@MM_MONITOR_DEBUG=1 $(PY) setup.py -q build_ext
	@touch $@

build/asan/.built: $(CEXT) $(VENV)/.demo build/asan/.configured
	@echo "==> kernels: sanitizer build (pointers watched), in build/asan/lib"
	@MM_MONITOR_DEBUG=asan $(PY) setup.py -q build_ext
	@touch $@

build: $(RELEASE) ## compile the kernels in place (release)

build-debug: build/debug/.built ## compile the kernels with every index checked, apart from the release

build-asan: build/asan/.built ## compile the kernels for the address sanitizer, apart from the release

## --- run ---------------------------------------------------------------------------------------

demo: $(RELEASE) ## a simulated session, a broker and the monitor, live in this terminal
	@$(VENV)/bin/mm-monitor demo $(DEMO_ARGS)

stack: $(VENV)/.dev build services ## the monitor in its world, on loopback without containers: Kafka, Prometheus, Alertmanager, Mosquitto, a simulated market
	@$(PY) -m deploy.stack $(STACK_ARGS)

tour: $(VENV)/.dev build services ## the same for a minute: a maker withdraws, and all of them tell the same story
	@$(PY) -m deploy.stack --tour

## --- check -------------------------------------------------------------------------------------

test: $(VENV)/.dev services ## everything: lint, all tests, kernels again with bounds checks, packaging
	@$(MAKE) --no-print-directory build lint
	@echo "==> tests: on the release build, laws and kernels beside what else waits for nothing"
	@$(call beside,laws,$(PYTEST) -q -m "not slow" $(LAWS),\
	  $(PYTEST) -q -m "not slow" $(addprefix --ignore ,$(LAWS) $(SERVICE_TESTS) $(WORLD_TESTS)))
	@echo "==> tests: against real services, which mostly wait, in two halves; beside them what is in no hurry"
	@$(call beside_both,builds,nice -n 19 $(MAKE) --no-print-directory test-asan packaging test-debug,\
	  worlds,$(PYTEST) -q -m "not slow" $(WORLD_TESTS) $(TRUTH_TESTS),\
	  $(PYTEST) -q -m "not slow" $(SERVICE_TESTS) --ignore $(TRUTH_TESTS))
	@$(MAKE) --no-print-directory versions

test-long: $(VENV)/.dev services ## the suite with the slow tests and ten times the examples
	@$(MAKE) --no-print-directory build build-debug
	@HYPOTHESIS_PROFILE=long $(PYTEST) -q --timeout 1800
	@$(MAKE) --no-print-directory proofs

proofs: $(VENV)/.dev build services ## the long proofs that keep their results in tests/proofs: 500 kills, failing brokers and workers, an hour at 200 000 ticks/s; goes on where it was
	@$(PY) -m tests.faults.kill_proof --seeds 20 --kills 500 --stamp tests/proofs/kills.json
	@$(PY) -m tests.faults.soak --minutes 60 --stamp tests/proofs/soak.json
	@$(PY) -m tests.faults.cluster_proof --rounds 3 --stamp tests/proofs/cluster.json

fuzz: $(VENV)/.dev build ## a hundred thousand random tapes, judged by the engine and by the oracle
	@mkdir -p build
	@$(PY) -m tests.fuzz.fuzz 0 100000 --jobs $$(nproc) --stamp build/fuzz.json

fuzz-input: $(VENV)/.dev build ## an hour of garbage for every decoder, the HTTP port, the loaders and the checkpoint reader; goes on where it was
	@$(PY) -m tests.faults.input_fuzz --minutes $${MINUTES:-60} --stamp tests/proofs/input.json

test-debug: $(VENV)/.dev build-debug ## the tests that drive kernels, on the debug build
	@echo "==> tests: $(DEBUG_TESTS) on the debug build"
	@HYPOTHESIS_PROFILE=$${HYPOTHESIS_PROFILE:-quick} MM_MONITOR_KERNEL_DIR=$(CURDIR)/build/debug/lib \
	  $(PYTEST) -q -m "not slow" $(DEBUG_TESTS)

test-asan: $(VENV)/.dev build-asan ## the kernels' own tests, with the address sanitizer watching
	@echo "==> tests: $(ASAN_TESTS) under the address sanitizer"
	@$(ASAN_ENV) HYPOTHESIS_PROFILE=$${HYPOTHESIS_PROFILE:-quick} \
	  MM_MONITOR_KERNEL_DIR=$(CURDIR)/build/asan/lib $(PYTEST) -q -m "not slow" $(ASAN_TESTS)

lint: $(VENV)/.dev build ## ruff, formatting, mypy --strict, stubs against the compiled kernels
	@echo "==> lint: ruff, mypy, stubtest"
	@$(PY) -m ruff check .
	@$(PY) -m ruff format --check .
	@$(PY) -m mypy
	@$(PY) -m mypy.stubtest $(KERNELS)

services: $(VENV)/.dev ## fetch the real services that tests talk to (Kafka, Prometheus, Alertmanager, Mosquitto, Chromium)
	@$(PY) -m tests.services.install

packaging: $(VENV)/.dev ## sdist, wheel from the sdist, installed and used elsewhere
	@echo "==> packaging: sdist, wheel from it, a new environment, another directory"
	@$(PY) tests/packaging/check.py

test-wheel: $(VENV)/.dev services ## the suite on the wheel that is built from the sdist, where no sources are; PYTEST_ARGS=... instead of all
	@echo "==> tests: on the wheel of the sdist, installed in a new environment"
	@$(PY) -m tests.packaging.suite $(PYTEST_ARGS)

.PHONY: fuzz-input lock audit

# In an environment of its own: what makes the lock is nothing that the monitor needs.
build/lock/.made: pyproject.toml | $(PY)
	@echo "==> lock: an environment for it"
	@mkdir -p build && $(PYTHON) -m venv build/lock
	@$(PY) -c 'import tomllib; print(*tomllib.load(open("pyproject.toml", "rb"))["project"]["optional-dependencies"]["lock"], sep="\n")' | \
	  build/lock/bin/python -m pip install -q --disable-pip-version-check -r /dev/stdin
	@touch $@

lock: build/lock/.made ## deploy/requirements.lock: what the monitor needs, pinned with hashes
	@build/lock/bin/python -m piptools compile -q --generate-hashes --strip-extras --extra parquet --extra pdf --no-emit-index-url --no-emit-find-links \
	  --output-file deploy/requirements.lock pyproject.toml

audit: build/lock/.made ## known weaknesses of what is in the lock, by the Python Packaging Advisory Database
	@build/lock/bin/python -m pip_audit --strict --disable-pip --require-hashes -r deploy/requirements.lock

dist: $(VENV)/.dev ## what a release has, in dist/: sdist and wheel (built twice, equal bytes), manual page, bill of materials, checksums
	@$(PY) tests/packaging/release.py dist

versions: $(VENV)/.dev
	@$(PY) -m tests.services.versions

screenshots: $(VENV)/.dev build services ## the pictures of the board in docs/pictures, taken of a demo by Chromium
	@$(PY) -m tests.board.screenshots

bench: $(VENV)/.dev build services ## the benchmarks; results as JSON with commit, cpu and versions
	@$(PY) -m benchmarks

bench-peers: $(VENV)/.dev build ## the same job by csp, polars, DuckDB, numba, bytewax and confluent-kafka, side by side
	@$(PY) -m benchmarks.peers $(PEERS_ARGS)

bench-plots: $(VENV)/.dev ## the plots of benchmarks/README.md, drawn from the results that are kept
	@$(PY) -m benchmarks.plots

instructions: $(VENV)/.dev build ## instructions a tick of each kernel, by callgrind, held against those that are kept (KEEP=--keep writes them)
	@command -v valgrind >/dev/null 2>&1 || { echo "make instructions needs valgrind; on Debian and Ubuntu: apt install valgrind." >&2; exit 1; }
	@$(PY) -m benchmarks.bench_instructions $(KEEP)

gaming: $(VENV)/.dev build ## the table of docs/gaming.md: a sampler's scores beside the truth
	@$(PY) -m benchmarks.gaming

clean: ## remove what was built (the fetched Kafka stays in the user's cache)
	@rm -rf build dist $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis *.egg-info mm_monitor/kernels/*.so
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
