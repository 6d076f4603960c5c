# The programs of picoprocesses: their init, and the loader of programs that are mapped from an image. Static, without C library and
# C++ runtime, embedded into the library. The same in every build, without sanitizers (which have no static form).
function(missive_bare_program name)
  cmake_parse_arguments(ARG "" "SYMBOL" "SOURCES;COMPILE;LINK" ${ARGN})
  set(directory ${PROJECT_BINARY_DIR}/guests/${name})
  add_executable(missive-${name} ${ARG_SOURCES})
  set_target_properties(missive-${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${directory} POSITION_INDEPENDENT_CODE OFF)
  target_include_directories(missive-${name} PRIVATE ${PROJECT_SOURCE_DIR})
  target_compile_options(missive-${name} PRIVATE -O2 -U_GLIBCXX_ASSERTIONS -Wall -Wextra -Wshadow $<$<BOOL:${MISSIVE_WERROR}>:-Werror>
    -ffreestanding -fno-exceptions -fno-rtti -fno-threadsafe-statics -fno-lto -fno-stack-protector -fcf-protection=none
    -fno-asynchronous-unwind-tables ${ARG_COMPILE})
  target_link_options(missive-${name} PRIVATE -nostdlib -Wl,--build-id=none -Wl,-z,noexecstack -Wl,-z,norelro ${ARG_LINK})
  add_custom_command(OUTPUT ${directory}/${name}
    COMMAND ${CMAKE_OBJCOPY} --strip-all $<TARGET_FILE:missive-${name}> ${directory}/${name}
    DEPENDS missive-${name} VERBATIM)
  missive_embed(${ARG_SYMBOL} ${directory}/${name})
endfunction()

set(programs ${PROJECT_SOURCE_DIR}/real/launch)
file(GLOB init_sources CONFIGURE_DEPENDS ${programs}/init/*.cpp)
missive_bare_program(init SYMBOL missive_init_program SOURCES ${init_sources} COMPILE -fno-pie LINK -static -no-pie)
missive_bare_program(loader SYMBOL missive_loader_program SOURCES ${programs}/loader/main.cpp ${programs}/init/memory.cpp
  COMPILE -fpie -fvisibility=hidden LINK -static -Wl,-pie -Wl,--no-dynamic-linker -Wl,-T,${programs}/loader/layout.lds)
set_target_properties(missive-loader PROPERTIES LINK_DEPENDS ${programs}/loader/layout.lds)
