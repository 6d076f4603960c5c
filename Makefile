# Thin on purpose: every target is one line over scripts/setup, the CMake presets and the program.
PRESET ?= release
JOBS ?= $(shell nproc)
PROGRAM := build/$(PRESET)/missive-sim

.PHONY: launch test build bench lint setup clean

launch: build          ## installs what is missing, builds, runs the main job
	$(PROGRAM) experiments/launch.json

test: build            ## the same for the tests
	ctest --preset $(PRESET)

build: setup
	cmake --preset $(PRESET) $(if $(wildcard build/$(PRESET)/build.ninja),>/dev/null,)
	cmake --build --preset $(PRESET) -j $(JOBS)

bench: build           ## micro-benchmarks (Google Benchmark)
	scripts/bench build/$(PRESET)

lint: build            ## format, include rule of the house, clang-tidy
	scripts/lint build/$(PRESET)

setup:
	scripts/setup

clean:
	rm -rf build
