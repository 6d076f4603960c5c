/* The service as a complete musl program: crt start-up, own thread-local storage, malloc, stdio.
 * main() ends in ready(), which hands the service to the host. */
#include "link.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>

#include "../../service/service.h"

static uint64_t calls;
static _Thread_local uint64_t thread_calls = 1000; /* in .tdata: must be set up, not just zero */
static char* text;

static int64_t probe(uint8_t* reply, size_t capacity) {
  struct missive_pie_probe told = {0};
  if (capacity < sizeof told) return -1;
  void* large = malloc(256 << 10);
  uint8_t* fresh = calloc(1, 6000);
  if (!large || !fresh) return -1;
  memset(large, 1, 256 << 10);
  told.calls = ++calls;
  told.global_address = (uintptr_t)&calls;
  told.thread_address = (uintptr_t)&thread_calls;
  told.thread_calls = ++thread_calls;
  told.heap_address = (uintptr_t)text;
  told.large_address = (uintptr_t)large;
  for (size_t i = 0; i < 6000; ++i) told.zero_page_bytes += fresh[i] != 0;
  memset(fresh, 0xff, 6000);
  snprintf(told.text, sizeof told.text, "%s", text);
  free(fresh);
  free(large);
  memcpy(reply, &told, sizeof told);
  return sizeof told;
}

static int64_t serve(int32_t entry, const uint8_t* request, size_t size, uint8_t* reply,
                     size_t capacity) {
  if (entry == MISSIVE_PIE_PROBE) return probe(reply, capacity);
  if (entry == MISSIVE_PIE_EXIT) _Exit(size > 0 ? request[0] : 0);
  return missive_guest(entry, request, size, reply, capacity);
}

int main(int argc, char** argv) {
  struct missive_pie_link* link = (struct missive_pie_link*)getauxval(MISSIVE_PIE_LINK);
  text = malloc(32);
  if (!text) return 3;
  snprintf(text, 32, "%s at %d", argc > 0 ? argv[0] : "?", argc);
  if (!link) { /* run as an ordinary program: it works, and says so */
    puts(text);
    return 2;
  }
  link->ready(link, serve);
  return 4;
}
