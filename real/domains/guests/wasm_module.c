/* wasm2c's output, compiled once for each way to check memory accesses. The build defines
 *   MODE       guard or bounds: the module's name, which makes the names of the two copies differ
 *   GENERATED  file that wasm2c wrote
 *   WASM_RT_MEMCHECK_SIGNAL_HANDLER  1: guard pages catch stray accesses; 0: a comparison at each
 *
 * Stack overflow is caught by the guard below the calling thread's stack in both modes (the build
 * adds -fstack-clash-protection). wasm2c can count the depth of calls instead, but in a plain
 * global, wrong as soon as two threads call. */
#define WASM_RT_USE_STACK_DEPTH_COUNT 0
#include GENERATED

#include "wasm_module.h"

#define PASTE3(a, b, c) a##b##c
#define NAME(a, b, c) PASTE3(a, b, c)

static void instantiate(void* instance) { NAME(Z_, MODE, _instantiate)(instance); }
static void free_tables(void* instance) { NAME(Z_, MODE, _free)(instance); }
static uint32_t pages(void* instance) { return NAME(Z_, MODE, Z_memory)(instance)->pages; }
static uint64_t entry(void* instance, uint32_t number, uint32_t request, uint32_t size,
                      uint32_t reply, uint32_t capacity) {
  return NAME(Z_, MODE, Z_missive_guest)(instance, number, request, size, reply, capacity);
}

const struct missive_wasm_module NAME(missive_wasm_, MODE, ) = {sizeof(NAME(Z_, MODE, _instance_t)),
                                                                NAME(Z_, MODE, _init_module),
                                                                instantiate,
                                                                free_tables,
                                                                pages,
                                                                entry};
