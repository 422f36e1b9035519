# Everything here sets itself up: it needs Python 3.11 or newer and make, and nothing else.

PYTHON ?= python3
BIN := .venv/bin
DEV := .venv/.ready
SHOP := .venv-shop
LOWEST := .venv-lowest/.ready
DATABASE_URL ?=
TROUBLE ?=
SECONDS ?= 15
WORKERS ?= 3
EXAMPLES ?= 10000
# Tests start hundreds of processes, which need not compile all modules anew.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help demo test test-lowest check shop docs pictures prove bench dist clean

help:                ## show this
	@grep -E '^[a-z-]+: .*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  make \1\t/'

INSTALL := -m pip install --quiet --disable-pip-version-check

$(DEV): pyproject.toml constraints.txt release/requirements.py
	$(PYTHON) -m venv .venv
	@# For speed only: the pip that Python brings does it, too, but may take a quarter of a minute longer.
	-$(BIN)/python $(INSTALL) -c constraints.txt --upgrade pip
	@# Not by --group dev, which that pip may not know.
	$(BIN)/python release/requirements.py dev >.venv/dev.txt
	$(BIN)/python $(INSTALL) -c constraints.txt -r .venv/dev.txt -e '.[all]'
	@touch $@

$(LOWEST): pyproject.toml constraints.txt release/requirements.py
	$(PYTHON) -m venv .venv-lowest
	.venv-lowest/bin/python release/requirements.py bounds >.venv-lowest/bounds.txt
	.venv-lowest/bin/python release/requirements.py lowest >.venv-lowest/lowest.txt
	.venv-lowest/bin/python $(INSTALL) -c .venv-lowest/bounds.txt -r .venv-lowest/lowest.txt -e '.[all]'
	@touch $@

demo: $(DEV)         ## a shop, a server and writers, live in the terminal (DATABASE_URL=…, SECONDS=15; TROUBLE=1: things go wrong)
	@$(BIN)/python -m examples.shop.demo --seconds $(SECONDS) $(if $(TROUBLE),--trouble) $(if $(DATABASE_URL),--database '$(DATABASE_URL)')

test: $(DEV)         ## all tests, on SQLite and on PostgreSQL (DATABASE_URL=… for a server of your own)
	@DATABASE_URL='$(DATABASE_URL)' $(BIN)/python -m pytest -n $(WORKERS)

LOWEST_TESTS ?= tests/compat tests/model tests/language tests/tracking tests/stories tests/migrations tests/web \
	tests/test_opentelemetry.py tests/test_cli.py

test-lowest: $(LOWEST) ## the tests that meet other libraries most, with the lowest versions that pyproject.toml allows
	@# Without the plugins of what was resolved freely, and without what needs a browser or the newest tools.
	@DATABASE_URL='$(DATABASE_URL)' .venv-lowest/bin/python -m pytest -n $(WORKERS) -p no:anyio $(LOWEST_TESTS) \
		--ignore tests/web/browser --ignore tests/web/test_api_fuzz.py

check: $(DEV)        ## ruff, mypy, basedpyright, import-linter, and the tests
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/lint-imports
	@$(BIN)/basedpyright
	@# mypy keeps one processor busy, so it runs beside the first tests.
	@$(BIN)/mypy & typed=$$!; \
		$(MAKE) --no-print-directory test; tested=$$?; \
		wait $$typed || { echo 'mypy has found what it says above.'; exit 1; }; exit $$tested

docs: $(DEV)         ## the documentation as a site in site/, every link in it checked; make docs SERVE=8000 shows it there
	@$(BIN)/python -m sphinx --quiet --fresh-env --fail-on-warning --keep-going --doctree-dir .sphinx docs site
	@echo 'The site is in site/index.html.'
	@$(if $(SERVE),$(BIN)/python -m http.server --bind 127.0.0.1 --directory site $(SERVE))

pictures: $(DEV)     ## take the pictures of the web page anew that the site shows (needs Chromium)
	@$(BIN)/python -m docs.building.screenshots

shop: $(DEV)         ## the example with FastAPI: its own tests and types, with the wheel, in an environment of its own
	@rm -rf $(SHOP) && $(PYTHON) -m venv $(SHOP)
	@$(BIN)/pip wheel --quiet --disable-pip-version-check --no-deps --wheel-dir $(SHOP)/wheel .
	@cd examples/fastapi_shop && ../../$(SHOP)/bin/pip install --quiet --disable-pip-version-check -c ../../constraints.txt \
		"$$(echo ../../$(SHOP)/wheel/*.whl)[postgresql,web]" -r requirements.txt
	@cd examples/fastapi_shop && unset PYTHONPATH && ../../$(SHOP)/bin/mypy && ../../$(SHOP)/bin/pytest

prove: $(DEV)        ## 10,000 random histories of caches, and as many as it takes of the rest, on each database; a minute of chaos (EXAMPLES=10000)
	@EXAMPLES='$(EXAMPLES)' DATABASE_URL='$(DATABASE_URL)' $(BIN)/python -m pytest -n auto --dist worksteal \
		tests/properties/test_caches.py tests/properties/test_machines.py \
		tests/properties/test_installation.py tests/properties/test_values_and_keys.py tests/properties/test_whatever_is_raised.py tests/faults/test_chaos.py

bench: $(DEV)        ## how fast it is (benchmarks/tickets.py; add --peers there for the peers)
	@$(BIN)/python benchmarks/tickets.py

dist: $(DEV)         ## a wheel and an sdist in dist/, as they would be published
	@rm -rf dist
	@$(BIN)/python -m build --no-isolation --outdir dist . >.venv/dist.log 2>&1 || { cat .venv/dist.log; exit 1; }
	@ls dist/*
	@! grep -q '^[^#]*afterwork\.example' pyproject.toml || \
		echo 'Not to be published yet: the addresses in pyproject.toml, https://afterwork.example/…, lead nowhere.'

clean:               ## remove the virtual environment and caches
	rm -rf .venv .venv-lowest .venv-shop dist site .sphinx .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
