# The service and the hostile guest as this program's own code: the native form that every domain is compared with, always at
# -O2. What a hostile guest does must reach the machine as it is written: no sanitizer in between.
target_sources(missive_real PRIVATE ${PROJECT_SOURCE_DIR}/real/domains/service/service.c
                                    ${PROJECT_SOURCE_DIR}/real/domains/service/attack.c)
set_source_files_properties(${PROJECT_SOURCE_DIR}/real/domains/service/service.c PROPERTIES COMPILE_OPTIONS
  "-std=c11;-O2;-ffreestanding;-fno-tree-loop-distribute-patterns")
set_source_files_properties(${PROJECT_SOURCE_DIR}/real/domains/service/attack.c PROPERTIES COMPILE_OPTIONS
  "-std=c11;-O2;-ffreestanding;-fno-sanitize=all" COMPILE_DEFINITIONS MISSIVE_HAS_SYSCALLS)
# The readings and copies that stand for the service's are compiled as the service is.
set_source_files_properties(${PROJECT_SOURCE_DIR}/real/measure/micro_memory.cpp PROPERTIES COMPILE_OPTIONS "-O2")
