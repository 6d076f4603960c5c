# The init of picoprocesses: a static program without C library and C++ runtime, embedded into the library. The same in every build,
# without sanitizers (which have no static form).
file(GLOB init_sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/real/launch/init/*.cpp)
add_executable(missive-init ${init_sources})
set(init_dir ${PROJECT_BINARY_DIR}/guests/init)
set_target_properties(missive-init PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${init_dir} POSITION_INDEPENDENT_CODE OFF)
target_include_directories(missive-init PRIVATE ${PROJECT_SOURCE_DIR})
target_compile_options(missive-init PRIVATE -O2 -U_GLIBCXX_ASSERTIONS -Wall -Wextra -Wshadow $<$<BOOL:${MISSIVE_WERROR}>:-Werror>
  -ffreestanding -fno-exceptions -fno-rtti -fno-threadsafe-statics -fno-pie -fno-lto -fno-stack-protector -fcf-protection=none
  -fno-asynchronous-unwind-tables)
target_link_options(missive-init PRIVATE -static -no-pie -nostdlib -Wl,--build-id=none -Wl,-z,noexecstack -Wl,-z,norelro)
add_custom_command(OUTPUT ${init_dir}/init
  COMMAND ${CMAKE_OBJCOPY} --strip-all $<TARGET_FILE:missive-init> ${init_dir}/init
  DEPENDS missive-init VERBATIM)
missive_embed(missive_init_program ${init_dir}/init)
