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
file(WRITE ${pie_dynamic_dir}/image.c.new
"__asm__(\".pushsection .rodata\\n.balign 4096\\n.globl missive_pie_dynamic_image\\n.globl missive_pie_dynamic_image_end\\n\"
        \"missive_pie_dynamic_image: .incbin \\\"${pie_dynamic_dir}/guest.elf\\\"\\nmissive_pie_dynamic_image_end: .byte 0\\n.popsection\\n\");\n")
configure_file(${pie_dynamic_dir}/image.c.new ${pie_dynamic_dir}/image.c COPYONLY)
set_source_files_properties(${pie_dynamic_dir}/image.c PROPERTIES OBJECT_DEPENDS ${pie_dynamic_dir}/guest.elf)
target_sources(missive_real PRIVATE ${pie_dynamic_dir}/image.c)
set_source_files_properties(${PROJECT_SOURCE_DIR}/real/domains/pie/dynamic.cpp PROPERTIES COMPILE_DEFINITIONS MISSIVE_PIE_DYNAMIC_GUEST=1)
