# WebAssembly domains: service.c and attack.c become a Wasm module (clang, wasm-ld), the module becomes C again (wasm2c),
# and that C is compiled twice, with guard pages and with bounds checks. Without the tools the mechanisms say so.
find_program(MISSIVE_WASM_CLANG NAMES clang clang-14)
find_program(MISSIVE_WASM_LD NAMES wasm-ld wasm-ld-14)
find_program(MISSIVE_WASM2C wasm2c)
find_path(MISSIVE_WASM_RT_INCLUDE wasm-rt.h)
if(NOT (MISSIVE_WASM_CLANG AND MISSIVE_WASM_LD AND MISSIVE_WASM2C AND MISSIVE_WASM_RT_INCLUDE))
  return()
endif()

set(wasm_sources ${PROJECT_SOURCE_DIR}/real/domains)
set(wasm_out ${PROJECT_BINARY_DIR}/guests/wasm)
file(MAKE_DIRECTORY ${wasm_out})
set(wasm_objects)
foreach(source service/service.c service/attack.c)
  get_filename_component(name ${source} NAME_WE)
  add_custom_command(OUTPUT ${wasm_out}/${name}.o
    COMMAND ${MISSIVE_WASM_CLANG} --target=wasm32 -std=c11 -O2 -ffreestanding -nostdlib
            -c ${wasm_sources}/${source} -o ${wasm_out}/${name}.o
    DEPENDS ${wasm_sources}/${source} ${wasm_sources}/service/service.h ${wasm_sources}/service/attack.h
    COMMENT "Compiling ${source} to WebAssembly" VERBATIM)
  list(APPEND wasm_objects ${wasm_out}/${name}.o)
endforeach()
# The stack lies first: when it overflows, addresses wrap round to the far end of the guarded range.
add_custom_command(OUTPUT ${wasm_out}/service.wasm
  COMMAND ${MISSIVE_WASM_LD} --no-entry --export=missive_guest --stack-first -z stack-size=65536 --strip-all
          ${wasm_objects} -o ${wasm_out}/service.wasm
  DEPENDS ${wasm_objects} VERBATIM)

set(wasm_mode_guard 1)
set(wasm_mode_bounds 0)
foreach(mode guard bounds)
  add_custom_command(OUTPUT ${wasm_out}/${mode}.c ${wasm_out}/${mode}.h
    COMMAND ${MISSIVE_WASM2C} -n ${mode} ${wasm_out}/service.wasm -o ${wasm_out}/${mode}.c
    DEPENDS ${wasm_out}/service.wasm VERBATIM)
  # No sanitizer and no warnings of ours: this is generated code, measured as a user would compile it.
  add_library(missive_wasm_${mode} OBJECT ${wasm_sources}/guests/wasm_module.c ${wasm_out}/${mode}.c)
  set_source_files_properties(${wasm_out}/${mode}.c PROPERTIES HEADER_FILE_ONLY ON)  # included by wasm_module.c
  target_compile_options(missive_wasm_${mode} PRIVATE -O2 -fstack-clash-protection -w)
  target_compile_definitions(missive_wasm_${mode} PRIVATE
    MODE=${mode} GENERATED="${wasm_out}/${mode}.c" WASM_RT_MEMCHECK_SIGNAL_HANDLER=${wasm_mode_${mode}})
  target_include_directories(missive_wasm_${mode} PRIVATE ${MISSIVE_WASM_RT_INCLUDE})
  target_sources(missive_real PRIVATE $<TARGET_OBJECTS:missive_wasm_${mode}>)
endforeach()
add_library(missive_wasm_runtime OBJECT ${wasm_sources}/guests/wasm_runtime.c)
target_compile_options(missive_wasm_runtime PRIVATE -O2 -Wall -Wextra)
target_include_directories(missive_wasm_runtime PRIVATE ${MISSIVE_WASM_RT_INCLUDE})
target_sources(missive_real PRIVATE $<TARGET_OBJECTS:missive_wasm_runtime>)
set_source_files_properties(${wasm_sources}/wasm.cpp PROPERTIES COMPILE_DEFINITIONS MISSIVE_WITH_WASM)
