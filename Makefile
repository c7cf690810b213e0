# Two commands are all a newcomer needs: `make demo` and `make test`.
PYTHON ?= python3
BIN := .venv/bin
export PATH := $(CURDIR)/$(BIN):$(PATH)

.PHONY: venv demo test test-long lab docs export clean bench

.venv/installed: settings.ini setup.py constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install -q -c constraints.txt -e '.[dev]'
	$(BIN)/python -m compileall -q iepile_nb && touch $@

venv: .venv/installed

demo: venv                       ## the main job: hard negatives, LoRA, F1 before and after, a report
	iepile_demo

test: venv                       ## every notebook on the CPU, then pytest
	OMP_NUM_THREADS=1 nbdev_test --path nbs --skip_folder_re '^(zh|[_.])' --n_workers 2 --timing
	python -m pytest -q tests

test-long: venv                  ## kills at random moments, long fuzzing, more of the browser
	python -m pytest -q tests --long

lab: venv                        ## the lessons in JupyterLab
	jupyter lab nbs

docs: venv                       ## all shelves as a site: build/docs/html/index.html
	python tools/docs.py

export: venv                     ## notebooks -> package and README
	python tools/figures.py && python tools/dress.py && nbdev_export && nbdev_clean && python tools/clean.py
	python tools/twins.py && python tools/picture.py && python tools/readme.py

clean:
	rm -rf .venv build dist *.egg-info outputs

bench: venv                      ## the committed numbers, measured again
	for f in benchmarks/*.py; do python $$f; done
