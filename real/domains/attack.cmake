# The hostile guest as this program's own code, for mechanisms that run the service from this program's image.
target_sources(missive_real PRIVATE ${PROJECT_SOURCE_DIR}/real/domains/service/attack.c)
set_source_files_properties(${PROJECT_SOURCE_DIR}/real/domains/service/attack.c PROPERTIES
  COMPILE_OPTIONS "-std=c11;-O2;-ffreestanding;-fno-tree-loop-distribute-patterns"
  COMPILE_DEFINITIONS MISSIVE_HAS_SYSCALLS)
