/* The service that runs in every domain: freestanding C, no library, no state between calls, so
 * that the same file compiles for the host, for a static PIE, for a bare KVM guest and for
 * WebAssembly. The safe-Rust crate implements the same entries. */
#ifndef MISSIVE_SERVICE_H
#define MISSIVE_SERVICE_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Entry numbers: missive::domains::Entry (domain.h). Reads `size` bytes of request, writes at most
 * `capacity` bytes of reply and returns how many, or -1 for an unknown entry or a reply that does
 * not fit. */
int64_t missive_service(int32_t entry, const uint8_t* request, size_t size, uint8_t* reply,
                        size_t capacity);

/* What a hostile guest does, for the attack matrix (attack.c): entry numbers from 100. Only in
 * guests built for it. */
int64_t missive_attack(int32_t attack, const uint8_t* argument, size_t size, uint8_t* reply,
                       size_t capacity);

/* What a domain runs for call(entry): the service below 100, an attack from there on (attack.c). */
int64_t missive_guest(int32_t entry, const uint8_t* request, size_t size, uint8_t* reply,
                      size_t capacity);

#ifdef __cplusplus
}
#endif

#endif
