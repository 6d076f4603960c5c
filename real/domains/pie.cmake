# The service as a static PIE with musl (Debian package musl-tools): `musl-gcc -static-pie` makes a dynamic one, so it is linked by hand.
find_program(MISSIVE_MUSL_GCC musl-gcc)
find_path(MISSIVE_MUSL_LIB rcrt1.o PATHS /usr/lib/x86_64-linux-musl /usr/lib/musl/lib NO_DEFAULT_PATH)
set(pie_sources ${PROJECT_SOURCE_DIR}/real/domains/pie)
if(MISSIVE_MUSL_GCC AND MISSIVE_MUSL_LIB)
  set(pie_dir ${PROJECT_BINARY_DIR}/guests/pie)
  file(MAKE_DIRECTORY ${pie_dir})
  set(pie_objects)
  foreach(source pie/guest/main.c service/service.c service/attack.c)
    get_filename_component(name ${source} NAME_WE)
    add_custom_command(OUTPUT ${pie_dir}/${name}.o
      COMMAND ${MISSIVE_MUSL_GCC} -std=gnu11 -O2 -fPIE -Wall -Wextra -ffreestanding -fno-tree-loop-distribute-patterns -DMISSIVE_HAS_SYSCALLS
              -fno-asynchronous-unwind-tables -c ${PROJECT_SOURCE_DIR}/real/domains/${source} -o ${pie_dir}/${name}.o
      DEPENDS ${PROJECT_SOURCE_DIR}/real/domains/${source} ${PROJECT_SOURCE_DIR}/real/domains/service/service.h
              ${PROJECT_SOURCE_DIR}/real/domains/service/attack.h ${pie_sources}/guest/link.h VERBATIM)
    list(APPEND pie_objects ${pie_dir}/${name}.o)
  endforeach()
  execute_process(COMMAND ${CMAKE_C_COMPILER} -print-libgcc-file-name OUTPUT_VARIABLE libgcc OUTPUT_STRIP_TRAILING_WHITESPACE)
  add_custom_command(OUTPUT ${pie_dir}/guest.elf
    COMMAND ${CMAKE_C_COMPILER} -nostdlib -static-pie -Wl,--no-dynamic-linker -Wl,-z,text -Wl,-z,norelro -Wl,-z,max-page-size=4096
            -Wl,--build-id=none -Wl,-s -Wl,-T,${pie_sources}/guest/layout.lds ${MISSIVE_MUSL_LIB}/rcrt1.o ${MISSIVE_MUSL_LIB}/crti.o ${pie_objects}
            ${MISSIVE_MUSL_LIB}/libc.a ${libgcc} ${MISSIVE_MUSL_LIB}/crtn.o -o ${pie_dir}/guest.elf
    DEPENDS ${pie_objects} ${pie_sources}/guest/layout.lds VERBATIM)
  missive_embed(missive_pie_image ${pie_dir}/guest.elf)
  set_source_files_properties(${pie_sources}/pie.cpp PROPERTIES COMPILE_DEFINITIONS MISSIVE_PIE_GUEST=1)
else()
  message(STATUS "pie domains: not built, musl is missing (Debian package musl-tools)")
endif()
