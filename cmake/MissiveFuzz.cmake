# The preset "fuzz": only what the fuzz targets reach (zarfiles, verification, cache, origin), instrumented for libFuzzer, and
# one program for each *_fuzz.cpp below real/.
set(rooms real/zar real/verify real/cache real/origin)
set(sources ${PROJECT_SOURCE_DIR}/real/fd.cpp ${PROJECT_SOURCE_DIR}/real/child_process.cpp ${PROJECT_SOURCE_DIR}/real/measure/scratch.cpp
            ${PROJECT_SOURCE_DIR}/models/nearest.cpp)
foreach(room IN LISTS rooms)
  file(GLOB_RECURSE found CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/${room}/*.cpp)
  list(APPEND sources ${found})
endforeach()
set(targets ${sources})
list(FILTER targets INCLUDE REGEX "_fuzz\\.cpp$")
list(FILTER sources EXCLUDE REGEX "(_test|_bench|_fuzz)\\.cpp$")

add_library(missive_fuzzed STATIC ${sources})
target_compile_options(missive_fuzzed PUBLIC -fsanitize=fuzzer-no-link)
target_link_libraries(missive_fuzzed PUBLIC missive_options OpenSSL::Crypto ZLIB::ZLIB PkgConfig::ARCHIVE PkgConfig::COMPRESSION
                      PkgConfig::HTTPLIB PkgConfig::CRYPTOPP PkgConfig::XXHASH ${IPSEC_MB} missive_blake3 Threads::Threads
                      nlohmann_json::nlohmann_json fmt::fmt)
add_library(missive_fuzz_driver OBJECT real/fuzz/libfuzzer_driver.cpp)
target_link_libraries(missive_fuzz_driver PUBLIC missive_options)
foreach(target IN LISTS targets)
  missive_program(${target} name)
  target_link_libraries(${name} PRIVATE missive_fuzzed missive_fuzz_driver -fsanitize=fuzzer)
endforeach()
