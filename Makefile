# `make` alone lists the commands. Each sets up .venv by itself, once, and again when pyproject.toml changes.
# Paths are relative throughout, so the clone may lie in a folder whose name has spaces.

PYTHON ?= python3

# Tests run in two processes of one thread each: two that share their threads wait for each other most of the time.
WORKERS ?= 2
PYTEST = OMP_NUM_THREADS=1 .venv/bin/python -m pytest --numprocesses $(WORKERS) --dist worksteal

# The kernel named python3 is .venv's, whatever the user's own Jupyter has under that name.
export JUPYTER_PREFER_ENV_PATH := 1

.PHONY: help reproduce improve trust test test-processors slow faults faults-table test-notebooks test-browser test-demo chromium bench bench-quick lab lint catalogue refresh lock clean

help:  ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-15s %s\n", $$1, $$2 }' Makefile
	@echo
	@echo "make reproduce takes, all optional: DATA=<auto|kaggle|demo|folder>  ARCH=<auto|resnet18|mobilenet_v2>"
	@echo "  WEIGHTS=<auto|imagenet|packaged|none|file>  RUN=<name>  SEED=<n>  DEVICE=<auto|cpu|cuda>  LANGUAGE=<en|id>"
	@echo "  MUTE=\"MK003: <reason>\" mutes a check of the page"
	@echo "make trust and make improve take the same, and AGAINST=<folder of photos of another source>"
	@echo "  COMPARE=<run|both>; RUN is the run to look into, and its photos are taken where DATA is not given"
	@echo "every command takes PYTHON=<python3.11 or newer>, used when .venv is made"

# --- set-up -------------------------------------------------------------------------------------

# The stamp is written last and holds the clone's path: a .venv without it was interrupted, one with another
# path was moved or copied with its clone, and either is made anew. `reproduce` and `trust` need
# [offline] alone; .lab stands for JupyterLab beside it, .tested for all that tests, ONNX and the cluster need.
INSTALLED := $(shell cat .venv/.installed 2>/dev/null)
ifneq ($(INSTALLED),$(CURDIR))
.PHONY: .venv/.installed .venv/.tested .venv/.lab
FRESH := yes
endif

# LOCK=requirements.lock installs exactly what that file lists, every hash checked: for CI. Without it pip takes the
# newest that pyproject.toml allows. The lock holds setuptools too, so nothing is fetched to build maskkit itself.
LOCK ?=

.venv/.installed: pyproject.toml $(LOCK)
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; v >= (3, 11) or sys.exit("maskkit needs Python 3.11 or newer, $(PYTHON) is %d.%d; give another one, such as: make PYTHON=python3.12" % v)'
	@rm -f $@
	$(if $(FRESH),$(PYTHON) -m venv --clear .venv)
	$(if $(LOCK),.venv/bin/python -m pip install --require-hashes --requirement $(LOCK))
	.venv/bin/python -m pip install $(if $(LOCK),--no-deps --no-build-isolation) --editable '.[offline]'
	@printf '%s\n' $(call quote,$(CURDIR)) > $@

.venv/.tested: .venv/.installed
	.venv/bin/python -m pip install $(if $(LOCK),--no-deps --no-build-isolation) --editable '.[offline,onnx,cluster,lab,faces,dev]'
	@touch $@

.venv/.lab: .venv/.installed
	.venv/bin/python -m pip install $(if $(LOCK),--no-deps --no-build-isolation) --editable '.[offline,lab]'
	@touch $@

# --- commands -----------------------------------------------------------------------------------

# Text as one word of the shell, whatever it holds.
quote = '$(subst ','\'',$(1))'

# Only what stands on make's command line is passed on: the defaults are notebooks/report.yaml's, and a variable
# of the user's environment that happens to be called ARCH is none of ours. `value`: a $ in a path stays a $.
told = $(if $(filter command,$(origin $(1))),$(value $(1)))
SETTINGS = $(foreach name,DATA ARCH WEIGHTS RUN SEED DEVICE LANGUAGE AGAINST GROUPS COMPARE MUTE,$(if \
	$(call told,$(name)),--set $(name)=$(call quote,$(call told,$(name)))))

# Relative paths mean the caller's folder. With `make -C clone` (its sign is the flag w) that is the shell's, PWD.
CALLER = $(if $(findstring w,$(filter-out --%,$(firstword -$(MAKEFLAGS)))),$(value PWD),$(CURDIR))

reproduce: .venv/.installed  ## the report, end to end: runs/<RUN>/report.html
	@cd $(call quote,$(CALLER)) && $(call quote,$(CURDIR)/.venv/bin/python) -P -m maskkit reproduce \
		$(call quote,$(CURDIR)/notebooks/report.yaml) $(SETTINGS)

improve: .venv/.tested  ## the report's proposed extensions, measured: notebook 04_improve, into runs/<RUN>/
	@cd $(call quote,$(CALLER)) && $(call quote,$(CURDIR)/.venv/bin/python) -P -m maskkit improve \
		$(call quote,$(CURDIR)/notebooks/improve.yaml) $(SETTINGS)

trust: .venv/.installed  ## how much of a run's number is real: notebook 05_trust, into runs/<RUN>/
	@cd $(call quote,$(CALLER)) && $(call quote,$(CURDIR)/.venv/bin/python) -P -m maskkit trust \
		$(call quote,$(CURDIR)/notebooks/trust.yaml) $(SETTINGS)

test: .venv/.tested  ## the tests, then the three notebooks' outputs; needs no network and no GPU
	$(PYTEST) -m "not slow"
	.venv/bin/python -m pytest --nbval notebooks/01_prepare.ipynb notebooks/02_train.ipynb notebooks/03_evaluate.ipynb

slow: .venv/.tested  ## the tests that take minutes
	$(PYTEST) -m slow

test-processors: .venv/.tested  ## the numeric tests and the report under emulated processors, one and two threads
	.venv/bin/python tests/check_processors.py

faults: .venv/.tested  ## the long form of tests/faults: 10,000 fuzzed files, 200 kills
	FAULTS=long $(PYTEST) tests/faults

faults-table: .venv/.tested  ## docs/faults.md, anew from the marks of the tests
	cd tests && ../.venv/bin/python -m faults.catalogue

test-notebooks: .venv/.tested  ## the outputs of all notebooks, 04 and 05 too, which take minutes
	.venv/bin/python -m pytest --nbval --nbval-cell-timeout=1200 notebooks/

test-browser: .venv/.tested chromium  ## JupyterLab, Notebook 7 and report.html in Chromium
	.venv/bin/python -m pytest tests/browser

# Gradio needs an older Pillow than all else here, so it lies in a folder of its own, which comes first on Python's path.
.venv/demo: | .venv/.tested
	.venv/bin/python -m pip install --quiet --upgrade --target $@.part 'gradio == 6.31.0' 'pillow < 13'
	mv $@.part $@

test-demo: .venv/demo chromium  ## `maskkit demo`: its answers, its server, and its page in Chromium
	PYTHONPATH=.venv/demo .venv/bin/python -m pytest tests/deploy/test_demo.py tests/browser/test_demo.py

# What cleanlab's Datalab needs beside cleanlab: benchmarks/planted.py runs it on the same folders. Also a folder of its own.
.venv/datalab: | .venv/.tested
	.venv/bin/python -m pip install --quiet --upgrade --no-deps --target $@.part 'datasets >= 5' 'cleanvision >= 0.3.7' \
		dill multiprocess xxhash huggingface_hub httpx2 httpcore2 truststore tabulate hf-xet 'click >= 8.4.2'
	mv $@.part $@

# Debian's own; where a browser is there already nothing is installed.
SUDO = $(if $(filter-out 0,$(shell id -u)),sudo)

chromium:  ## the browser for test-browser, by apt-get where none is there
	@command -v chromium || command -v chromium-browser || command -v google-chrome || \
		{ $(SUDO) apt-get --quiet update && $(SUDO) apt-get --quiet --yes --no-install-recommends install chromium; } || \
		{ echo "there is no Chromium here, and apt-get could not install one; install one by hand" >&2; exit 1; }

# DATA and WEIGHTS as above, WEIGHTS a file of ResNet18; the scripts run in the caller's folder, as `reproduce` does.
BENCH = cd $(call quote,$(CALLER)) && PYTHONPATH=$(call quote,$(CURDIR)) $(call quote,$(CURDIR)/.venv/bin/python)
given = $(if $(call told,$(1)),--$(2) $(call quote,$(call told,$(1))))
BENCH_WEIGHTS = $(call given,WEIGHTS,weights)
BENCH_SETTINGS = $(call given,DATA,data) $(BENCH_WEIGHTS)
BENCHMARKS := $(CURDIR)/benchmarks

bench: .venv/.tested  ## speed against the plain loop and peers, an hour: benchmarks/results/ (DATA, WEIGHTS, AGAINST)
	.venv/bin/python -m pip install --editable '.[bench]'
	$(BENCH) $(call quote,$(BENCHMARKS)/report.py) $(BENCH_SETTINGS) $(call given,AGAINST,elsewhere)
	$(if $(BENCH_WEIGHTS),$(BENCH) $(call quote,$(BENCHMARKS)/commands.py) $(call quote,$(call told,DATA)) $(call quote,$(call told,WEIGHTS)))
	$(BENCH) $(call quote,$(BENCHMARKS)/extraction.py) --slow $(BENCH_SETTINGS)
	$(BENCH) $(call quote,$(BENCHMARKS)/growth.py) $(BENCH_SETTINGS)
	$(BENCH) $(call quote,$(BENCHMARKS)/start.py)
	$(BENCH) $(call quote,$(BENCHMARKS)/threads.py) $(BENCH_WEIGHTS)

bench-quick: .venv/.tested  ## a minute of it; fails where a ratio of times falls below its floor (DATA, WEIGHTS)
	$(BENCH) $(call quote,$(BENCHMARKS)/report.py) --quick $(BENCH_SETTINGS)

lab: .venv/.lab  ## JupyterLab on notebooks/ (OPTIONS="--no-browser", or any other of its options)
	.venv/bin/python -m jupyterlab $(OPTIONS) notebooks/

lint: .venv/.tested  ## ruff and mypy
	.venv/bin/python -m ruff check
	.venv/bin/python -m ruff format --check
	.venv/bin/python -m mypy

catalogue: .venv/.tested  ## update the pages' translations from the templates and the code
	.venv/bin/python -m tests.html.catalogue

refresh: .venv/.tested  ## run the committed notebooks and store their outputs
	.venv/bin/python -m tests.refresh_notebooks

lock: .venv/.tested  ## requirements.lock anew: the newest of everything, for every platform, with hashes
	echo 'setuptools >= 77' | .venv/bin/uv pip compile pyproject.toml - --extra offline --extra onnx --extra cluster --extra lab --extra faces --extra dev --upgrade \
		--universal --python-version 3.11 --generate-hashes --no-annotate --no-emit-index-url \
		--custom-compile-command 'make lock' --output-file requirements.lock --quiet

clean:  ## remove .venv and what failed runs left; good runs and fetched photos stay
	rm -rf .venv runs/*.part
