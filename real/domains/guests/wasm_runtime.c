/* The part of wasm2c's runtime (wasm-rt.h) that a module of ours needs. Not the one that comes with
 * wabt: that one aborts the program when memory runs out, keeps its trap state and call depth in
 * plain globals (one thread only), saves the signal mask at every call, and unmaps only the
 * accessible part of a freed memory, so that each freed instance costs 8 GiB of address space. */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <wasm-rt.h>

#include "wasm_module.h"

__thread struct missive_wasm_reservation* missive_wasm_next_memory;

enum { kPage = 65536, kMaxTypes = 256, kMaxParameters = 16 };

bool wasm_rt_is_initialized(void) { return true; }

void wasm_rt_trap(wasm_rt_trap_t code) { missive_wasm_trap((int)code); }

const char* missive_wasm_reason(int code) {
  switch (code) {
    case WASM_RT_TRAP_OOB:
      return "touched memory outside its own";
    case WASM_RT_TRAP_INT_OVERFLOW:
      return "overflowed in an integer division or conversion";
    case WASM_RT_TRAP_DIV_BY_ZERO:
      return "divided by zero";
    case WASM_RT_TRAP_INVALID_CONVERSION:
      return "converted a NaN to an integer";
    case WASM_RT_TRAP_UNREACHABLE:
      return "executed 'unreachable'";
    case WASM_RT_TRAP_CALL_INDIRECT:
      return "called something that is no function of its own";
    case WASM_RT_TRAP_EXHAUSTION:
      return "overflowed the stack";
    default:
      return "trapped";
  }
}

void wasm_rt_allocate_memory(wasm_rt_memory_t* memory, uint32_t initial, uint32_t max) {
  struct missive_wasm_reservation* r = missive_wasm_next_memory;
  (void)max; /* the host's limit counts, not the module's wish */
  r->pages = initial;
  memory->pages = initial + r->extra_pages;
  memory->max_pages = memory->pages + r->growth_pages;
  memory->size = memory->pages * kPage;
  memory->data = r->data;
  if (r->commit && mprotect(r->data, memory->size, PROT_READ | PROT_WRITE) != 0)
    wasm_rt_trap(WASM_RT_TRAP_EXHAUSTION);
  if (r->image >= 0 && mmap(r->data, (size_t)initial * kPage, PROT_READ | PROT_WRITE,
                            MAP_PRIVATE | MAP_FIXED, r->image, 0) == MAP_FAILED)
    wasm_rt_trap(WASM_RT_TRAP_EXHAUSTION);
}

/* The reservation covers max_pages: memory never moves. */
uint32_t wasm_rt_grow_memory(wasm_rt_memory_t* memory, uint32_t delta) {
  const uint32_t before = memory->pages;
  if (delta > memory->max_pages - before) return (uint32_t)-1;
  if (delta != 0 && mprotect(memory->data + (uint64_t)before * kPage, (uint64_t)delta * kPage,
                             PROT_READ | PROT_WRITE) != 0)
    return (uint32_t)-1;
  memory->pages = before + delta;
  memory->size = memory->pages * kPage;
  return before;
}

void wasm_rt_free_memory(wasm_rt_memory_t* memory) { (void)memory; /* the host's reservation */ }

void wasm_rt_allocate_funcref_table(wasm_rt_funcref_table_t* table, uint32_t elements,
                                    uint32_t max) {
  table->data = calloc(elements ? elements : 1, sizeof *table->data);
  if (table->data == NULL) wasm_rt_trap(WASM_RT_TRAP_EXHAUSTION);
  table->size = elements;
  table->max_size = max;
}

void wasm_rt_free_funcref_table(wasm_rt_funcref_table_t* table) { free(table->data); }

/* Function types by structure: an indirect call must find the type it expects. Called while one
 * thread initialises the modules. */
uint32_t wasm_rt_register_func_type(uint32_t parameters, uint32_t results, ...) {
  static struct {
    uint32_t parameters, results;
    wasm_rt_type_t types[kMaxParameters];
  } known[kMaxTypes];
  static uint32_t count;
  wasm_rt_type_t types[kMaxParameters] = {0};
  if (parameters + results > kMaxParameters || count == kMaxTypes)
    wasm_rt_trap(WASM_RT_TRAP_EXHAUSTION);
  va_list list;
  va_start(list, results);
  for (uint32_t i = 0; i < parameters + results; ++i) types[i] = va_arg(list, wasm_rt_type_t);
  va_end(list);
  for (uint32_t i = 0; i < count; ++i)
    if (known[i].parameters == parameters && known[i].results == results &&
        memcmp(known[i].types, types, sizeof types) == 0)
      return i + 1;
  known[count].parameters = parameters;
  known[count].results = results;
  memcpy(known[count].types, types, sizeof types);
  return ++count;
}
