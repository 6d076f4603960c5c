# For a cold build on a machine that builds once (.ci/run). Off by default: who builds again and again has ccache, and clangd does not
# read what g++ precompiles (nor does clang-tidy: scripts/tidy takes it out).
#
# The dear headers (GoogleTest, JSON, the standard library) are parsed once and not once for each file. No file may come to need
# that. In a preset without sanitizers a file is therefore given only headers that it reaches by its own includes: what it sees then
# it would see anyway. Under sanitizers every file is given the standard library and what its room names, and a room marked UNITY is
# compiled a dozen files at a time; an include list that is not whole fails in the other preset.
option(MISSIVE_BUILD_ONCE "Compile for a build that is made once: precompiled headers, several files at a time" OFF)

if(MISSIVE_BUILD_ONCE AND CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  # The compiler does not collect its garbage below this many KiB, a tenth of its time. The code is the same.
  add_compile_options($<$<COMPILE_LANGUAGE:CXX>:--param=ggc-min-heapsize=2000000>)
endif()

set(MISSIVE_STANDARD_HEADERS <algorithm> <array> <atomic> <chrono> <filesystem> <fstream> <functional> <map> <memory> <mutex>
    <optional> <set> <span> <sstream> <string> <thread> <unordered_map> <vector> <fmt/format.h>)

# Sets RESULT to those of the headers that SOURCE reaches by its includes, directly or through files of the project. They are
# written as in an #include: <gmock/gmock.h>.
function(missive_reached result source)
  get_property(includes GLOBAL PROPERTY MISSIVE_INCLUDES_${source})
  if(NOT includes)
    set(includes none)
    set(queue ${source})
    while(queue)
      list(POP_FRONT queue file)
      if(NOT EXISTS ${file})
        continue()  # made during the build, or a system header in quotes
      endif()
      file(STRINGS ${file} lines REGEX "^#include [<\"]")
      foreach(line IN LISTS lines)
        string(REGEX REPLACE "^#include ([<\"][^>\"]+[>\"]).*" "\\1" include "${line}")
        if(NOT include IN_LIST includes)
          list(APPEND includes "${include}")
          if(include MATCHES "^\"(.*)\"$")
            list(APPEND queue ${PROJECT_SOURCE_DIR}/${CMAKE_MATCH_1})
          endif()
        endif()
      endforeach()
    endwhile()
    set_property(GLOBAL PROPERTY MISSIVE_INCLUDES_${source} "${includes}")
  endif()
  set(reached)
  foreach(header IN LISTS ARGN)
    if("${header}" IN_LIST includes)
      list(APPEND reached "${header}")
    endif()
  endforeach()
  set(${result} "${reached}" PARENT_SCOPE)
endfunction()

# missive_precompile_room(TARGET [UNITY] HEADERS header... SOURCES source...): for the sources of a room.
function(missive_precompile_room target)
  cmake_parse_arguments(ARG "UNITY" "" "HEADERS;SOURCES" ${ARGN})
  if(NOT MISSIVE_BUILD_ONCE)
    return()
  endif()
  if(MISSIVE_SANITIZE)
    list(APPEND ARG_HEADERS ${MISSIVE_STANDARD_HEADERS})
    if(ARG_UNITY)
      # What one file has in its unnamed namespace, another then sees: -Wsubobject-linkage speaks of included files.
      set_target_properties(${target} PROPERTIES UNITY_BUILD ON UNITY_BUILD_BATCH_SIZE 12)
      target_compile_options(${target} PRIVATE $<$<COMPILE_LANGUAGE:CXX>:-Wno-subobject-linkage>)
      return()
    endif()
  endif()
  foreach(header IN LISTS ARG_HEADERS)
    target_precompile_headers(${target} PRIVATE "$<$<COMPILE_LANGUAGE:CXX>:${header}>")
  endforeach()
  if(MISSIVE_SANITIZE)
    return()
  endif()
  foreach(source IN LISTS ARG_SOURCES)
    missive_reached(reached ${source} ${ARG_HEADERS})
    if(NOT "${reached}" STREQUAL "${ARG_HEADERS}")
      set_property(SOURCE ${source} PROPERTY SKIP_PRECOMPILE_HEADERS ON)
    endif()
  endforeach()
endfunction()

# missive_precompile_test(TARGET SOURCE HEADERS header...): for a test, which shares what it is given with all tests that are given
# the same.
function(missive_precompile_test target source)
  cmake_parse_arguments(ARG "" "" "HEADERS" ${ARGN})
  if(NOT MISSIVE_BUILD_ONCE)
    return()
  endif()
  if(MISSIVE_SANITIZE)
    set(headers ${ARG_HEADERS} ${MISSIVE_STANDARD_HEADERS})
  else()
    missive_reached(headers ${source} ${ARG_HEADERS})
  endif()
  if("<gmock/gmock.h>" IN_LIST headers)
    list(REMOVE_ITEM headers <gtest/gtest.h>)  # part of it
  endif()
  if(NOT headers)
    return()
  endif()
  string(REGEX REPLACE "[^a-z]+" "_" shared "precompiled${headers}")
  string(SUBSTRING ${shared} 0 60 shared)
  if(NOT TARGET ${shared})
    file(CONFIGURE OUTPUT ${PROJECT_BINARY_DIR}/${shared}.cpp CONTENT "// Only its precompiled headers are used.\n")
    add_library(${shared} OBJECT ${PROJECT_BINARY_DIR}/${shared}.cpp)
    target_link_libraries(${shared} PRIVATE missive_options GTest::gmock fmt::fmt nlohmann_json::nlohmann_json)
    missive_test_options(${shared})
    target_precompile_headers(${shared} PRIVATE ${headers})
  endif()
  target_precompile_headers(${target} REUSE_FROM ${shared})
endfunction()
