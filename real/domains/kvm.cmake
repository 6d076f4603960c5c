# The service as a flat binary for a microVM without a kernel: needs nothing beyond the compiler and objcopy.
set(kvm_sources ${PROJECT_SOURCE_DIR}/real/domains/kvm)
set(kvm_service ${PROJECT_SOURCE_DIR}/real/domains/service)
set(kvm_dir ${PROJECT_BINARY_DIR}/guests/kvm)
file(MAKE_DIRECTORY ${kvm_dir})
add_custom_command(OUTPUT ${kvm_dir}/guest.bin
  COMMAND ${CMAKE_C_COMPILER} -std=gnu11 -DMISSIVE_OTHER_CLOCK -O2 -Wall -Wextra -ffreestanding -fno-tree-loop-distribute-patterns -fno-pic -no-pie -static -nostdlib
          -fcf-protection=none -fno-stack-protector -fno-asynchronous-unwind-tables -Wno-int-to-pointer-cast
          -Wl,--build-id=none -Wl,-z,noexecstack -Wl,--no-warn-rwx-segments -Wl,-T,${kvm_sources}/guest/layout.lds
          ${kvm_sources}/guest/start.c ${kvm_service}/service.c ${kvm_service}/attack.c -o ${kvm_dir}/guest.elf
  COMMAND ${CMAKE_OBJCOPY} -O binary ${kvm_dir}/guest.elf ${kvm_dir}/guest.bin
  DEPENDS ${kvm_sources}/guest/start.c ${kvm_sources}/guest/mailbox.h ${kvm_sources}/guest/layout.lds ${kvm_service}/service.c
          ${kvm_service}/attack.c ${kvm_service}/service.h ${kvm_service}/attack.h VERBATIM)
missive_embed(missive_kvm_image ${kvm_dir}/guest.bin)
