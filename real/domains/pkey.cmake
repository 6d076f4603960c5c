# The mechanism "pkey" as the first process of a virtual machine, for its test: a static program of the project's own sources, built
# without sanitizers (which have no static form), whatever the rest is built with.
if(MISSIVE_TESTS AND TARGET real_domains_pkey_pkey_test AND MISSIVE_MUSL_GCC AND MISSIVE_MUSL_LIB)
  set(pkey_sources elf_file.cpp fd.cpp domains/map_limit.cpp domains/message.cpp domains/service/service.c domains/service/attack.c
      domains/pie/elf.cpp domains/pie/gate.cpp domains/pie/initial_stack.cpp domains/pie/loaded.cpp domains/pie/pie.cpp domains/pie/slots.cpp
      domains/pie/system_calls.cpp domains/pkey/gate.cpp domains/pkey/keys.cpp domains/pkey/pkey.cpp domains/pkey/scan.cpp
      domains/pkey/guest/main.cpp domains/trap.cpp)
  list(TRANSFORM pkey_sources PREPEND ${PROJECT_SOURCE_DIR}/real/)
  add_executable(missive-pkey-guest ${pkey_sources} ${missive_pie_image_source})
  target_include_directories(missive-pkey-guest PRIVATE ${PROJECT_SOURCE_DIR})
  target_compile_options(missive-pkey-guest PRIVATE -O2)
  target_link_options(missive-pkey-guest PRIVATE -static -s)
  target_link_libraries(missive-pkey-guest PRIVATE fmt::fmt-header-only)
  add_dependencies(missive-pkey-guest missive_real)  # the image is made once
  add_dependencies(real_domains_pkey_pkey_test missive-pkey-guest)
  target_compile_definitions(real_domains_pkey_pkey_test PRIVATE MISSIVE_PKEY_GUEST="$<TARGET_FILE:missive-pkey-guest>")
endif()
