# The service as 32-bit code, flat, for a segment of its own; inside it the hostile guest as 64-bit code, which leaves the segment.
# Needs a compiler that knows -m32 and the linker's i386 emulation, both of Debian's gcc and binutils, and no 32-bit library.
set(segment_guest ${PROJECT_SOURCE_DIR}/real/domains/segment/guest)
set(segment_service ${PROJECT_SOURCE_DIR}/real/domains/service)
set(segment_dir ${PROJECT_BINARY_DIR}/guests/segment)
file(MAKE_DIRECTORY ${segment_dir})
file(WRITE ${segment_dir}/probe.c "void _start(void) {}\n")
execute_process(COMMAND ${CMAKE_C_COMPILER} -m32 -ffreestanding -fno-pic -no-pie -static -nostdlib ${segment_dir}/probe.c -o ${segment_dir}/probe
                RESULT_VARIABLE segment_failed OUTPUT_QUIET ERROR_QUIET)
if(segment_failed EQUAL 0)
  set(segment_flags -std=gnu11 -O2 -Wall -Wextra -ffreestanding -fno-tree-loop-distribute-patterns -static -nostdlib -fcf-protection=none
      -fno-stack-protector -fno-asynchronous-unwind-tables -Wl,--build-id=none -Wl,-z,noexecstack -Wl,--no-warn-rwx-segments)
  set(segment_headers ${segment_guest}/segment.h ${segment_service}/service.h ${segment_service}/attack.h)
  add_custom_command(OUTPUT ${segment_dir}/long.bin
    COMMAND ${CMAKE_C_COMPILER} ${segment_flags} -fPIE -fno-jump-tables -ffunction-sections -Wl,--gc-sections -DMISSIVE_HAS_SYSCALLS
            -Wl,-T,${segment_guest}/long.lds ${segment_guest}/long.c ${segment_service}/service.c ${segment_service}/attack.c -o ${segment_dir}/long.elf
    COMMAND ${CMAKE_OBJCOPY} -O binary -j .image ${segment_dir}/long.elf ${segment_dir}/long.bin
    DEPENDS ${segment_guest}/long.c ${segment_guest}/long.lds ${segment_service}/service.c ${segment_service}/attack.c ${segment_headers} VERBATIM)
  add_custom_command(OUTPUT ${segment_dir}/guest.bin
    COMMAND ${CMAKE_C_COMPILER} -m32 -march=x86-64 ${segment_flags} -fno-pic -no-pie -DMISSIVE_SEGMENT_LONG_CODE="${segment_dir}/long.bin"
            -Wl,-T,${segment_guest}/layout.lds ${segment_guest}/start.c ${segment_service}/service.c ${segment_service}/attack.c
            -o ${segment_dir}/guest.elf
    COMMAND ${CMAKE_OBJCOPY} -O binary ${segment_dir}/guest.elf ${segment_dir}/guest.bin
    DEPENDS ${segment_guest}/start.c ${segment_guest}/layout.lds ${segment_dir}/long.bin ${segment_service}/service.c ${segment_service}/attack.c
            ${segment_headers} VERBATIM)
  missive_embed(missive_segment_image ${segment_dir}/guest.bin)
  set_source_files_properties(${PROJECT_SOURCE_DIR}/real/domains/segment/segment.cpp PROPERTIES COMPILE_DEFINITIONS MISSIVE_SEGMENT_GUEST=1)
else()
  message(STATUS "segment domains: not built, the compiler makes no 32-bit code (cc -m32)")
endif()
