/* What a static PIE and the program that loaded it agree on. The guest finds a pointer to this in
 * its auxiliary vector (getauxval(3)) under MISSIVE_PIE_LINK, and calls ready() once: that call
 * returns to the host, and never to the guest. From then on the host calls `service`. */
#ifndef MISSIVE_PIE_LINK_H
#define MISSIVE_PIE_LINK_H

#include <stddef.h>
#include <stdint.h>

/* "miss": far above the kernel's own AT_ numbers. */
#define MISSIVE_PIE_LINK 0x6d697373

/* Entry of this guest alone, beside those of service.h: tells what lies where inside it, so that a
 * test can see that no two domains share anything. The reply is a struct missive_pie_probe. */
#define MISSIVE_PIE_PROBE 90
/* Ends the guest by exit_group(2), with the first request byte as its status. */
#define MISSIVE_PIE_EXIT 91

typedef int64_t (*missive_pie_service)(int32_t entry, const uint8_t* request, size_t size,
                                       uint8_t* reply, size_t capacity);

struct missive_pie_link {
  void (*ready)(struct missive_pie_link* link, missive_pie_service service);
};

struct missive_pie_probe {
  uint64_t calls;           /* a global: how often this domain was probed */
  uint64_t global_address;  /* of that global */
  uint64_t thread_address;  /* of a thread-local variable */
  uint64_t thread_calls;    /* the thread-local counter */
  uint64_t heap_address;    /* of a block from malloc(), kept */
  uint64_t large_address;   /* of a block of 256 KiB from malloc(), freed again */
  uint64_t zero_page_bytes; /* bytes not zero in a fresh calloc() block */
  char text[32];            /* made by snprintf() at start-up */
};

#endif
