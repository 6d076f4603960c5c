/* A module compiled by wasm2c, as the host sees it: one table of functions for each way to check
 * memory accesses, so that both forms of the same module live in one program. */
#ifndef MISSIVE_WASM_MODULE_H
#define MISSIVE_WASM_MODULE_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Why wasm-rt.h is not included here: the host does not need it, and it may not be installed. */
struct missive_wasm_module {
  size_t instance_size; /* what instantiate() fills: globals, memory and table descriptors */
  void (*init)(void);   /* once in a process */
  void (*instantiate)(void* instance);
  void (*free_tables)(void* instance);
  uint32_t (*pages)(void* instance); /* accessible now, of 64 KiB */
  /* missive_guest() in attack.c; addresses are offsets into linear memory. */
  uint64_t (*entry)(void* instance, uint32_t entry, uint32_t request, uint32_t size, uint32_t reply,
                    uint32_t capacity);
};
extern const struct missive_wasm_module missive_wasm_guard, missive_wasm_bounds;

/* The linear memory of the instance that this thread is about to instantiate: the host reserves it
 * beforehand, because it can report a failure and C code cannot. */
struct missive_wasm_reservation {
  uint8_t* data;
  uint32_t extra_pages;  /* of 64 KiB: the host's message areas behind the module's own memory */
  uint32_t growth_pages; /* how much memory.grow may add */
  int commit;            /* pages must be made accessible before use (guard mode) */
  int image;             /* a memfd to map the module's own pages from, copy-on-write; or -1 */
  uint32_t pages;        /* set by instantiation: the module's own initial pages */
};
extern __thread struct missive_wasm_reservation* missive_wasm_next_memory;

/* Ends the running call with one of these; defined by the host. */
__attribute__((noreturn)) void missive_wasm_trap(int code);
/* What a code says; valid for ever. */
const char* missive_wasm_reason(int code);

#ifdef __cplusplus
}
#endif

#endif
