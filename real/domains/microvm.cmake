# The service as the first process of a microVM with a kernel of its own, a static program embedded into the library.
set(microvm_guest ${PROJECT_SOURCE_DIR}/real/domains/microvm/guest)
set(microvm_service ${PROJECT_SOURCE_DIR}/real/domains/service)
set(microvm_dir ${PROJECT_BINARY_DIR}/guests/microvm)
file(MAKE_DIRECTORY ${microvm_dir})
add_custom_command(OUTPUT ${microvm_dir}/init
  COMMAND ${CMAKE_C_COMPILER} -std=c11 -O2 -Wall -Wextra -ffreestanding -fno-stack-protector -fcf-protection=none
          -fno-asynchronous-unwind-tables -fno-tree-loop-distribute-patterns -static -no-pie -fno-pie -nostdlib
          -Wl,--build-id=none -Wl,-z,noexecstack -Wl,-z,norelro -DMISSIVE_HAS_SYSCALLS
          -o ${microvm_dir}/init ${microvm_guest}/init.c ${microvm_service}/service.c ${microvm_service}/attack.c
  DEPENDS ${microvm_guest}/init.c ${microvm_guest}/channel.h ${PROJECT_SOURCE_DIR}/real/domains/guests/shared_service.h
          ${microvm_service}/service.c ${microvm_service}/attack.c ${microvm_service}/service.h ${microvm_service}/attack.h
  VERBATIM)
missive_embed(missive_microvm_init ${microvm_dir}/init)
