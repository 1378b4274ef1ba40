# microtome: `make demo` shows the main job on real brains, `make test` runs every test.
# Each target installs what it misses through tools/setup.sh.
BUILD ?= build/release
VENV = $(CURDIR)/.venv
PYTHON = $(VENV)/bin/python
MESON = $(PYTHON) -m mesonbuild.mesonmain
export PATH := $(VENV)/bin:$(PATH)
RUN = PYTHONPATH=$(CURDIR)/$(BUILD)/python $(PYTHON)
FUZZ_SECONDS ?= 60

.PHONY: all build demo train test bench check asan tsan fuzz doc format clean

all: build

build:
	@tools/setup.sh test
	@test -f $(BUILD)/build.ninja || $(MESON) setup $(BUILD) >/dev/null
	@ninja --quiet -C $(BUILD)

demo:
	@tools/setup.sh test demo
	@$(MAKE) --no-print-directory build
	$(RUN) apps/demo.py --out build/demo

# Every training program with --quick and its control; TRAIN="classify_sex --no-control" for some of it.
train:
	@tools/setup.sh test apps
	@$(MAKE) --no-print-directory build
	$(RUN) tools/run_apps.py $(TRAIN)

test: build
	$(RUN) tools/run_tests.py --build $(BUILD)

bench:
	@tools/setup.sh test bench
	@$(MAKE) --no-print-directory build
	$(RUN) bench/run.py $(BENCH)

check: build
	@tools/setup.sh test check
	$(RUN) tools/check.py --build $(BUILD)

asan:
	@tools/setup.sh test
	@test -f build/asan/build.ninja || $(MESON) setup build/asan -Dbuildtype=debugoptimized \
	    -Db_sanitize=address,undefined -Db_lundef=false -Dpython=false >/dev/null
	@ninja -C build/asan >/dev/null
	$(RUN) tools/run_tests.py --build build/asan --only c --name asan

# Kernels and parsers under fuzz run on one thread: ThreadSanitizer learns nothing from them.
tsan:
	@tools/setup.sh test
	@test -f build/tsan/build.ninja || $(MESON) setup build/tsan -Dbuildtype=debugoptimized \
	    -Db_sanitize=thread -Db_lundef=false -Dpython=false >/dev/null
	@ninja -C build/tsan >/dev/null
	$(RUN) tools/run_tests.py --build build/tsan --only c --suite unit --name tsan

fuzz:
	@tools/setup.sh test fuzz
	@test -f build/fuzz/build.ninja || CC=clang $(MESON) setup build/fuzz -Dbuildtype=debugoptimized -Dfuzz=true \
	    -Db_sanitize=address,undefined -Db_lundef=false -Dpython=false >/dev/null
	@ninja -C build/fuzz >/dev/null
	$(PYTHON) tools/fuzz.py --build build/fuzz --seconds $(FUZZ_SECONDS)

doc:
	@tools/setup.sh test demo
	@$(MAKE) --no-print-directory build
	$(RUN) tools/operator_pictures.py
	$(RUN) tools/gen_ops.py

format: build
	clang-format -i $$(git ls-files '*.c' '*.h')
	ruff format -q $$(git ls-files '*.py' '*.pyi')

clean:
	rm -rf build
