# The Python package: build/<preset>/python holds it ready for PYTHONPATH, `cmake --install` puts it in place.
#
# MISSIVE_PYTHON  AUTO  built when a Python with NumPy and pybind11 are here; the program never needs it
#                 ON    the same, and it is an error when something is missing
#                 OFF   not built
# The module holds no simulator and starts nothing: models/ and the zarfile reader, out of the rooms' own libraries
# (missive_shared_with_module, MissiveTargets.cmake).
set(MISSIVE_PYTHON AUTO CACHE STRING "Build the Python package: AUTO, ON or OFF")
set_property(CACHE MISSIVE_PYTHON PROPERTY STRINGS AUTO ON OFF)
set(MISSIVE_PYTHON_INSTALL_DIR "" CACHE PATH "Where the Python package is installed (default: beside the prefix)")

# A `python3` that comes first on the path need not be the one with NumPy: the user's first, then the distribution's.
function(missive_find_python)
  if(DEFINED Python_EXECUTABLE OR DEFINED Python_ROOT_DIR)
    return()
  endif()
  foreach(candidate IN ITEMS python3 /usr/bin/python3)
    find_program(found NAMES ${candidate} NO_CACHE)
    if(found)
      execute_process(COMMAND ${found} -c "import numpy, sys; print(sys.executable)"
                      RESULT_VARIABLE status OUTPUT_VARIABLE executable ERROR_QUIET OUTPUT_STRIP_TRAILING_WHITESPACE)
      if(status EQUAL 0)
        set(Python_EXECUTABLE ${executable} CACHE FILEPATH "Interpreter of the missive package")
        return()
      endif()
    endif()
    unset(found)
  endforeach()
endfunction()

# Sets MISSIVE_PYTHON_WHY_NOT, empty when everything is there.
macro(missive_look_for_python)
  set(MISSIVE_PYTHON_WHY_NOT "")
  missive_find_python()
  if(MISSIVE_SANITIZE)
    set(MISSIVE_PYTHON_WHY_NOT "an interpreter without sanitizers cannot load code with them")
  elseif(MISSIVE_PYTHON STREQUAL "OFF")
    set(MISSIVE_PYTHON_WHY_NOT "MISSIVE_PYTHON is OFF")
  else()
    # Before pybind11, which would look for an interpreter by its own rules.
    find_package(Python 3.9 QUIET COMPONENTS Interpreter Development.Module NumPy)
    if(NOT Python_FOUND)
      set(MISSIVE_PYTHON_WHY_NOT "no Python 3.9 with headers and NumPy (python3-dev python3-numpy)")
    else()
      find_package(pybind11 2.10 QUIET CONFIG)
      if(NOT pybind11_FOUND)
        set(MISSIVE_PYTHON_WHY_NOT "no pybind11 (pybind11-dev)")
      endif()
    endif()
  endif()
endmacro()

# Relative to the prefix: the interpreter's own folder when that lies below it, else lib/pythonX.Y/site-packages.
function(missive_python_install_dir result)
  if(MISSIVE_PYTHON_INSTALL_DIR)
    set(${result} ${MISSIVE_PYTHON_INSTALL_DIR} PARENT_SCOPE)
    return()
  endif()
  execute_process(COMMAND ${Python_EXECUTABLE} -c "import sysconfig; print(sysconfig.get_path('platlib'))"
                  OUTPUT_VARIABLE own OUTPUT_STRIP_TRAILING_WHITESPACE)
  cmake_path(IS_PREFIX CMAKE_INSTALL_PREFIX "${own}" NORMALIZE below)
  if(below)
    cmake_path(RELATIVE_PATH own BASE_DIRECTORY ${CMAKE_INSTALL_PREFIX} OUTPUT_VARIABLE own)
    set(${result} ${own} PARENT_SCOPE)
  else()
    set(${result} lib/python${Python_VERSION_MAJOR}.${Python_VERSION_MINOR}/site-packages PARENT_SCOPE)
  endif()
endfunction()

# _where.py says where the program and its data are, seen from the package's own folder.
function(missive_python_where file package program data)
  cmake_path(RELATIVE_PATH program BASE_DIRECTORY ${package})
  cmake_path(RELATIVE_PATH data BASE_DIRECTORY ${package})
  string(CONCAT text "\"\"\"Where the program and its data are, from this folder. Written by CMake.\"\"\"\n\n"
                "PROGRAM = \"${program}\"\nDATA = \"${data}\"\nPYTHON = \"${Python_VERSION_MAJOR}.${Python_VERSION_MINOR}\"\n")
  file(CONFIGURE OUTPUT ${file} CONTENT "${text}" @ONLY)
endfunction()

function(missive_python_package)
  file(GLOB bindings CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/python/bindings/*.cpp)
  pybind11_add_module(missive_python MODULE NO_EXTRAS ${bindings})
  # Of the rooms the linker takes what the bindings reach, and of their libraries what that needs.
  target_link_options(missive_python PRIVATE -Wl,--as-needed -Wl,--exclude-libs,ALL)
  target_link_libraries(missive_python PRIVATE missive_real missive_models Python::Module)
  set(package ${PROJECT_BINARY_DIR}/python/missive)
  set_target_properties(missive_python PROPERTIES OUTPUT_NAME _missive LIBRARY_OUTPUT_DIRECTORY ${package})

  # A symbol that is nowhere shows when the module is loaded: load it now.
  add_custom_command(TARGET missive_python POST_BUILD VERBATIM
    COMMAND ${Python_EXECUTABLE} -c "import sys; sys.path.insert(0, sys.argv[1]); import _missive" ${package})

  # In the build folder the package is links to its sources: an edit needs no build.
  file(GLOB sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/python/missive/*.py
       ${PROJECT_SOURCE_DIR}/python/missive/*.pyi ${PROJECT_SOURCE_DIR}/python/missive/py.typed)
  file(MAKE_DIRECTORY ${package})
  foreach(source IN LISTS sources)
    cmake_path(GET source FILENAME name)
    file(CREATE_LINK ${source} ${package}/${name} SYMBOLIC)
  endforeach()
  missive_python_where(${package}/_where.py ${package} ${PROJECT_BINARY_DIR}/missive-sim ${PROJECT_SOURCE_DIR})

  missive_python_install_dir(destination)
  set(prefix /prefix)  # any: only the way from one folder to the other counts
  cmake_path(ABSOLUTE_PATH destination BASE_DIRECTORY ${prefix} OUTPUT_VARIABLE installed)
  missive_python_where(${PROJECT_BINARY_DIR}/python/installed_where.py ${installed}/missive
                       ${prefix}/${CMAKE_INSTALL_BINDIR}/missive-sim ${prefix}/${CMAKE_INSTALL_DATADIR}/missive-sim)
  install(TARGETS missive_python LIBRARY DESTINATION ${destination}/missive)
  install(FILES ${sources} DESTINATION ${destination}/missive)
  install(FILES ${PROJECT_BINARY_DIR}/python/installed_where.py DESTINATION ${destination}/missive RENAME _where.py)
  install(CODE "
    execute_process(COMMAND \"${Python_EXECUTABLE}\" -c \"import sys; sys.exit(sys.argv[1] not in sys.path)\"
                    \"\${CMAKE_INSTALL_PREFIX}/${destination}\" RESULT_VARIABLE elsewhere)
    message(STATUS \"Python package: \${CMAKE_INSTALL_PREFIX}/${destination}/missive, for ${Python_EXECUTABLE}\")
    if(elsewhere)
      message(STATUS \"Python package: export PYTHONPATH=\${CMAKE_INSTALL_PREFIX}/${destination}\")
    endif()")
endfunction()

# One CTest test for each file of tests; without the package they are there and say why they do not run.
function(missive_python_tests)
  file(GLOB tests CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/python/tests/test_*.py ${PROJECT_SOURCE_DIR}/plots/test_*.py)
  foreach(test IN LISTS tests)
    cmake_path(GET test STEM name)
    string(REPLACE "test_" "python_" name ${name})
    if(MISSIVE_PYTHON_WHY_NOT)
      add_test(NAME ${name} COMMAND ${CMAKE_COMMAND} -E echo "skipped: no Python package: ${MISSIVE_PYTHON_WHY_NOT}")
      set_tests_properties(${name} PROPERTIES SKIP_REGULAR_EXPRESSION "skipped: ")
    else()
      add_test(NAME ${name} COMMAND ${Python_EXECUTABLE} -m pytest -q -p no:cacheprovider ${test}
               WORKING_DIRECTORY ${PROJECT_SOURCE_DIR})
      set_tests_properties(${name} PROPERTIES ENVIRONMENT
        "PYTHONPATH=${PROJECT_BINARY_DIR}/python;PYTHONDONTWRITEBYTECODE=1;MISSIVE_SOURCE_DIR=${PROJECT_SOURCE_DIR}")
    endif()
    set_tests_properties(${name} PROPERTIES TIMEOUT 300 LABELS python COST 50)  # long ones, and they come last otherwise
  endforeach()
endfunction()

missive_look_for_python()
if(NOT MISSIVE_PYTHON_WHY_NOT)
  message(STATUS "Python package: for ${Python_EXECUTABLE} (${Python_VERSION})")
  missive_python_package()
elseif(MISSIVE_PYTHON STREQUAL "ON")
  message(FATAL_ERROR "Python package: ${MISSIVE_PYTHON_WHY_NOT}; install it or leave MISSIVE_PYTHON at AUTO")
else()
  message(STATUS "Python package: not built: ${MISSIVE_PYTHON_WHY_NOT}")
endif()
if(MISSIVE_TESTS)
  missive_python_tests()
endif()
