# Works with plain GNU make, from any folder (spaces in its path too), with Python 3.11 or newer.

PYTHON ?= python3
PIP = .venv/bin/python -m pip --disable-pip-version-check
# An index with other builds of torch, such as PyTorch's own with CPU-only ones (far smaller).
TORCH_INDEX ?=
# Which kinds of files make fuzz takes; none is all.
KINDS ?=
# Further arguments for pytest: make test ARGS="-k jobs"
ARGS ?=
# As many files of tests at a time as there are processors; a file's tests share what they made.
AT_ONCE = -n logical --maxprocesses 4 --dist loadfile --no-loadscope-reorder

.PHONY: help demo test test-slow fuzz lint docs screenshots audit image image-test clean browser
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

help:
	@echo 'make demo    install, run the demonstration study on synthetic X-rays and show it'
	@echo 'make test    install what tests need, a browser included, and run them (ARGS="-k jobs")'
	@echo 'make test-slow    the tests that take many minutes each'
	@echo 'make fuzz    10,000 damaged files of each kind against what reads them (KINDS="dicom zips")'
	@echo 'make lint    check style, format, types and imports'
	@echo 'make docs    build the documentation into site/ and write its reference from the code'
	@echo 'make screenshots    take the pictures of the docs again, from the finished demo'
	@echo 'make audit   licences and known vulnerabilities of what is installed; sbom.json'
	@echo 'make image   build the container image with docker, podman or buildah'
	@echo 'make image-test   build it, start it, and try what it promises'
	@echo 'make clean   remove .venv and the caches of tools; studies in cache/ stay'
	@echo
	@echo 'PYTHON=python3.12        the Python to make .venv from (3.11 or newer)'
	@echo 'TORCH_INDEX=<address>    take torch and torchvision from this package index'

demo: .venv/.installed
	.venv/bin/prunescope demo

test: .venv/.installed-dev browser
	.venv/bin/python -m pytest --timeout=300 $(AT_ONCE) $(ARGS)

test-slow: .venv/.installed-dev browser
	.venv/bin/python -m pytest -m slow $(ARGS)

fuzz: .venv/.installed-dev
	.venv/bin/python -m tests.fuzz $(KINDS)

lint: .venv/.installed-dev
	.venv/bin/ruff check
	.venv/bin/ruff format --check
	.venv/bin/mypy
	.venv/bin/lint-imports

docs: .venv/.installed-dev
	.venv/bin/python -m tools.reference
	NO_MKDOCS_2_WARNING=1 .venv/bin/mkdocs build --strict

screenshots: .venv/.installed-dev browser
	.venv/bin/python -m tests.e2e.screenshots

audit: .venv/.installed-dev
	.venv/bin/python tools/audit.py

# ENGINE=podman chooses among docker, podman and buildah; BUILD="--build-arg TORCH=cu130" is passed on.
image:
	$(PYTHON) tools/image.py

image-test: .venv/.installed-dev browser
	.venv/bin/python tools/image.py test

clean:
	rm -rf .venv .pytest_cache .ruff_cache .mypy_cache .import_linter_cache .hypothesis test-results prunescope.egg-info site
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
	@echo 'Studies and everything else in cache/ are kept.'

.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
	  echo "PruneScope needs Python 3.11 or newer; '$(PYTHON)' is" \
	    "$$($(PYTHON) --version 2>/dev/null || echo 'not there')." \
	    "Install one and name it: make PYTHON=python3.12 ..." >&2; exit 1; }
	@$(PYTHON) -m venv --clear .venv || { rm -rf .venv; \
	  echo "No environment could be made with '$(PYTHON) -m venv'." \
	    "On Debian and Ubuntu install python3-venv first." >&2; exit 1; }

# The stamps make a second call instant; a changed list of packages installs again.
.venv/.installed: requirements.txt pyproject.toml | .venv/bin/python
	@echo 'Installing the packages in requirements.txt into .venv (a few minutes the first time)'
	@if [ -n "$(TORCH_INDEX)" ]; then \
	  echo 'torch and torchvision come from $(TORCH_INDEX)'; \
	  $(PIP) install --quiet --index-url "$(TORCH_INDEX)" \
	    $$(grep -E '^(torch|torchvision)==' requirements.txt); fi
	@$(PIP) install --quiet -r requirements.txt
	@$(PIP) install --quiet --no-deps -e .
	@touch $@

.venv/.installed-dev: requirements-dev.txt requirements-docs.txt .venv/.installed
	@echo 'Installing the packages in requirements-dev.txt'
	@$(PIP) install --quiet -r requirements-dev.txt
	@touch $@

browser: .venv/.installed-dev
	@for name in chromium chromium-browser google-chrome google-chrome-stable; do \
	  command -v $$name >/dev/null && exit 0; done; \
	if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	  echo 'Installing Chromium with apt-get'; \
	  apt-get update -qq && apt-get install -y -qq --no-install-recommends chromium >/dev/null; \
	else \
	  echo 'Installing Chromium with Playwright'; .venv/bin/playwright install chromium; \
	fi
