# The service as this program's own code: the native form that every domain is compared with, always at -O2.
target_sources(missive_real PRIVATE ${PROJECT_SOURCE_DIR}/real/domains/service/service.c)
set_source_files_properties(${PROJECT_SOURCE_DIR}/real/domains/service/service.c PROPERTIES COMPILE_OPTIONS
  "-std=c11;-O2;-ffreestanding;-fno-tree-loop-distribute-patterns")
