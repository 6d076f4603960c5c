# missive_room(NAME DEPENDS target...)
#
# Makes the static library missive_NAME from every .cpp below NAME/, a GoogleTest program NAME_test from
# every *_test.cpp, a Google Benchmark program NAME_bench from every *_bench.cpp, and a test NAME_fuzz from every *_fuzz.cpp
# that replays its seeds and mutations of them. A new file needs no edit here.
add_library(missive_options INTERFACE)
target_compile_features(missive_options INTERFACE cxx_std_20)
target_compile_options(missive_options INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow
  $<$<COMPILE_LANGUAGE:CXX>:-Wnon-virtual-dtor;-Wold-style-cast;-Woverloaded-virtual>
  $<$<CXX_COMPILER_ID:GNU>:-Wno-restrict>  # false alarms on std::string in GCC 12 (PR 105651)
  $<$<BOOL:${MISSIVE_WERROR}>:-Werror>)
target_include_directories(missive_options INTERFACE ${PROJECT_SOURCE_DIR})
# Symbols are bound at start: a forked service would bind those it uses anew, each time, in its first microseconds.
target_link_options(missive_options INTERFACE -Wl,-z,now)
target_compile_definitions(missive_options INTERFACE FUSE_USE_VERSION=312)
if(MISSIVE_SANITIZE)
  target_compile_options(missive_options INTERFACE
    -fsanitize=${MISSIVE_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  target_link_options(missive_options INTERFACE -fsanitize=${MISSIVE_SANITIZE})
endif()

# What the Python module holds besides the program is compiled once, for both: as position-independent code. Hidden, because
# calls then stay direct and the program's own code is the same but for this.
function(missive_shared_with_module)
  set(shared ${ARGN})
  list(FILTER shared INCLUDE REGEX "/(models|real/zar)/|/real/fd\\.cpp$")
  set_property(SOURCE ${shared} APPEND PROPERTY COMPILE_OPTIONS -fPIC -fvisibility=hidden)
endfunction()

function(missive_room name)
  cmake_parse_arguments(ARG "" "" "DEPENDS" ${ARGN})
  file(GLOB_RECURSE all CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/${name}/*.cpp)
  list(FILTER all EXCLUDE REGEX "/guests?/|/real/launch/(init|loader)/")  # built by rules of their own
  set(sources ${all})
  list(FILTER sources EXCLUDE REGEX "(_test|_bench|_fuzz|_driver|/main)\\.cpp$")
  add_library(missive_${name} STATIC ${sources})
  target_link_libraries(missive_${name} PUBLIC missive_options ${ARG_DEPENDS})
  missive_shared_with_module(${sources})
  if(NOT MISSIVE_TESTS)
    return()
  endif()
  set(tests ${all})
  list(FILTER tests INCLUDE REGEX "_test\\.cpp$")
  if(MISSIVE_SANITIZE)
    # Isolated domains jump out of faulting guests and load foreign code into this process: not with a sanitizer.
    list(FILTER tests EXCLUDE REGEX "/real/domains/")
  endif()
  foreach(test IN LISTS tests)
    missive_program(${test} target)
    target_link_libraries(${target} PRIVATE missive_${name} GTest::gmock GTest::gtest_main)
    # What is tested is optimised as it is in the program; the test itself need not be, and compiles sooner.
    target_compile_options(${target} PRIVATE $<$<CONFIG:Release>:-O1>)
    add_test(NAME ${target} COMMAND ${target} WORKING_DIRECTORY ${PROJECT_SOURCE_DIR})
    set_tests_properties(${target} PROPERTIES TIMEOUT 300 LABELS ${name})
  endforeach()
  set(fuzzed ${all})
  list(FILTER fuzzed INCLUDE REGEX "_fuzz\\.cpp$")
  if(fuzzed AND NOT TARGET missive_replay)
    add_library(missive_replay OBJECT ${PROJECT_SOURCE_DIR}/real/fuzz/replay_driver.cpp)
    target_link_libraries(missive_replay PUBLIC missive_options)
  endif()
  foreach(fuzz IN LISTS fuzzed)
    missive_program(${fuzz} target)
    target_link_libraries(${target} PRIVATE missive_${name} missive_replay)
    add_test(NAME ${target} COMMAND ${target})
    set_tests_properties(${target} PROPERTIES TIMEOUT 300 LABELS ${name})
  endforeach()
  if(MISSIVE_SANITIZE)
    return()  # its speed says nothing
  endif()
  set(benches ${all})
  list(FILTER benches INCLUDE REGEX "_bench\\.cpp$")
  foreach(bench IN LISTS benches)
    missive_program(${bench} target)
    target_link_libraries(${target} PRIVATE missive_${name} benchmark::benchmark_main)
    set_property(GLOBAL APPEND PROPERTY MISSIVE_BENCHES ${target})
  endforeach()
endfunction()

# A program named after its path: real/zar/merkle_test.cpp becomes real_zar_merkle_test.
function(missive_program source target_variable)
  file(RELATIVE_PATH relative ${PROJECT_SOURCE_DIR} ${source})
  string(REGEX REPLACE "\\.cpp$" "" target ${relative})
  string(REPLACE "/" "_" target ${target})
  add_executable(${target} ${source})
  set(${target_variable} ${target} PARENT_SCOPE)
endfunction()

# Puts the content of FILE, which a custom command makes, into missive_real: `extern "C" const ... SYMBOL[], SYMBOL_end[]`.
# SYMBOL_source names the C file that does so, for another program to embed the same.
function(missive_embed symbol file)
  set(source ${PROJECT_BINARY_DIR}/guests/${symbol}.c)
  file(CONFIGURE OUTPUT ${source} @ONLY CONTENT [[
__asm__(
    ".pushsection .rodata\n"
    ".balign 4096\n"
    ".globl @symbol@, @symbol@_end\n"
    "@symbol@: .incbin \"@file@\"\n"
    "@symbol@_end: .byte 0\n"
    ".popsection\n");
]])
  set_source_files_properties(${source} PROPERTIES OBJECT_DEPENDS ${file})
  target_sources(missive_real PRIVATE ${source})
  set(${symbol}_source ${source} PARENT_SCOPE)
endfunction()
