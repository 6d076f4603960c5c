# The service as an ordinary dynamic PIE of this system's C library: nothing special, `cc -pie`. Its dynamic loader loads it into
# this process (pie/dynamic.h).
set(pie_dynamic_dir ${PROJECT_BINARY_DIR}/guests/pie_dynamic)
file(MAKE_DIRECTORY ${pie_dynamic_dir})
set(pie_dynamic_sources)
foreach(source pie/guest/main.c service/service.c service/attack.c)
  list(APPEND pie_dynamic_sources ${PROJECT_SOURCE_DIR}/real/domains/${source})
endforeach()
add_custom_command(OUTPUT ${pie_dynamic_dir}/guest.elf
  COMMAND ${CMAKE_C_COMPILER} -std=gnu11 -O2 -fPIE -pie -Wall -Wextra -fno-tree-loop-distribute-patterns -DMISSIVE_HAS_SYSCALLS
          ${pie_dynamic_sources} -o ${pie_dynamic_dir}/guest.elf
  DEPENDS ${pie_dynamic_sources} ${PROJECT_SOURCE_DIR}/real/domains/service/service.h
          ${PROJECT_SOURCE_DIR}/real/domains/service/attack.h ${PROJECT_SOURCE_DIR}/real/domains/pie/guest/link.h VERBATIM)
missive_embed(missive_pie_dynamic_image ${pie_dynamic_dir}/guest.elf)
set_source_files_properties(${PROJECT_SOURCE_DIR}/real/domains/pie/dynamic.cpp PROPERTIES COMPILE_DEFINITIONS MISSIVE_PIE_DYNAMIC_GUEST=1)
