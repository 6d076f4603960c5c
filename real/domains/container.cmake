# The service as a static program for picoprocesses and containers (guests/shared_service.c), embedded into the library.
set(missive_shared_guest ${PROJECT_SOURCE_DIR}/real/domains/guests/shared_service.c)
set(missive_shared_service ${PROJECT_SOURCE_DIR}/real/domains/service)
set(missive_shared_program ${PROJECT_BINARY_DIR}/guests/shared_service)
add_custom_command(OUTPUT ${missive_shared_program}
  COMMAND ${CMAKE_COMMAND} -E make_directory ${PROJECT_BINARY_DIR}/guests
  COMMAND ${CMAKE_C_COMPILER} -std=c11 -O2 -Wall -Wextra -ffreestanding -fno-stack-protector -fcf-protection=none
          -fno-asynchronous-unwind-tables -fno-tree-loop-distribute-patterns -static -no-pie -fno-pie -nostdlib
          -Wl,--build-id=none -Wl,-z,noexecstack -Wl,-z,norelro -DMISSIVE_HAS_SYSCALLS
          -o ${missive_shared_program} ${missive_shared_guest} ${missive_shared_service}/service.c ${missive_shared_service}/attack.c
  DEPENDS ${missive_shared_guest} ${PROJECT_SOURCE_DIR}/real/domains/guests/shared_service.h
          ${missive_shared_service}/service.c ${missive_shared_service}/attack.c ${missive_shared_service}/service.h ${missive_shared_service}/attack.h
  VERBATIM)
missive_embed(missive_shared_service ${missive_shared_program})
