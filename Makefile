# Thin on purpose: every target is one line over scripts/setup, the CMake presets and the program.
PRESET ?= release
JOBS ?= $(shell nproc)
PREFIX ?= /usr/local
PROGRAM := build/$(PRESET)/missive-sim

# The first configuration speaks; later ones only if something is wrong. Tests need packages that `launch` does not install.
CONFIGURE = cmake --preset $(PRESET) $(1) $(if $(wildcard build/$(PRESET)/build.ninja),>/dev/null,)

.PHONY: launch test build install bench lint docs fuzz setup clean

launch: setup          ## installs what is missing, builds the program, runs the main job
	$(call CONFIGURE,$(if $(wildcard build/$(PRESET)/build.ninja),,-DMISSIVE_TESTS=OFF))
	cmake --build --preset $(PRESET) -j $(JOBS) --target missive-sim
	$(PROGRAM) experiments/launch.json

test: build            ## the same for the tests
	ctest --preset $(PRESET)

build:
	scripts/setup --tests
	$(call CONFIGURE,-DMISSIVE_TESTS=ON)
	cmake --build --preset $(PRESET) -j $(JOBS)

install:               ## program, data and, where Python and pybind11 are, the Python package; PREFIX=/usr/local
	scripts/setup
	$(call CONFIGURE,$(if $(wildcard build/$(PRESET)/build.ninja),,-DMISSIVE_TESTS=OFF) -DCMAKE_INSTALL_PREFIX=$(PREFIX))
	cmake --build --preset $(PRESET) -j $(JOBS)
	cmake --install build/$(PRESET)

bench: build           ## micro-benchmarks (Google Benchmark), then zar beside its peers
	scripts/bench build/$(PRESET)
	bench/peers $(PROGRAM)

lint: build            ## format, include rule of the house, clang-tidy
	scripts/lint build/$(PRESET)

docs:                  ## the documentation site (Sphinx, Doxygen); a warning is an error
	scripts/setup --tests
	scripts/docs build/docs

fuzz:                  ## every fuzz target under libFuzzer for FUZZ_SECONDS each (or FUZZ_RUNS executions): docs/fuzzing.md
	scripts/setup --tests
	cmake --preset fuzz >/dev/null
	cmake --build --preset fuzz -j $(JOBS)
	scripts/fuzz build/fuzz

setup:
	scripts/setup

clean:
	rm -rf build
