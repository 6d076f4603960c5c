/* The kernels that run in every domain. Freestanding: no library call, no static data that changes, no recursion, less than
 * 2 KiB of stack; needs -ffreestanding and, with GCC, -fno-tree-loop-distribute-patterns (or the compiler puts memset back in).
 * All numbers are little-endian and may lie at any address. Nothing in a request is trusted. */
#include "service.h"

/* Folded into one load or store; an unaligned pointer dereference would be undefined. */
static uint32_t load32(const uint8_t* at) {
  uint32_t value;
  __builtin_memcpy(&value, at, sizeof value);
  return value;
}

static uint64_t load64(const uint8_t* at) {
  uint64_t value;
  __builtin_memcpy(&value, at, sizeof value);
  return value;
}

static void store32(uint8_t* at, uint32_t value) { __builtin_memcpy(at, &value, sizeof value); }
static void store64(uint8_t* at, uint64_t value) { __builtin_memcpy(at, &value, sizeof value); }

/* ---- hash: SHA-256, FIPS 180-4 ------------------------------------------------------------- */

static const uint32_t kRound[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5, 0xd807aa98, 0x12835b01, 0x243185be,
    0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174, 0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa,
    0x5cb0a9dc, 0x76f988da, 0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967, 0x27b70a85,
    0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85, 0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3,
    0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070, 0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f,
    0x682e6ff3, 0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};

static uint32_t rotate(uint32_t x, int n) { return (x >> n) | (x << (32 - n)); }

static void hash_block(uint32_t state[8], const uint8_t* block) {
  uint32_t w[64];
  for (int i = 0; i < 16; ++i) w[i] = __builtin_bswap32(load32(block + 4 * i));
  for (int i = 16; i < 64; ++i) {
    const uint32_t s0 = rotate(w[i - 15], 7) ^ rotate(w[i - 15], 18) ^ (w[i - 15] >> 3);
    const uint32_t s1 = rotate(w[i - 2], 17) ^ rotate(w[i - 2], 19) ^ (w[i - 2] >> 10);
    w[i] = w[i - 16] + s0 + w[i - 7] + s1;
  }
  uint32_t a = state[0], b = state[1], c = state[2], d = state[3];
  uint32_t e = state[4], f = state[5], g = state[6], h = state[7];
  for (int i = 0; i < 64; ++i) {
    const uint32_t s1 = rotate(e, 6) ^ rotate(e, 11) ^ rotate(e, 25);
    const uint32_t t1 = h + s1 + ((e & f) ^ (~e & g)) + kRound[i] + w[i];
    const uint32_t s0 = rotate(a, 2) ^ rotate(a, 13) ^ rotate(a, 22);
    const uint32_t t2 = s0 + ((a & b) ^ (a & c) ^ (b & c));
    h = g, g = f, f = e, e = d + t1;
    d = c, c = b, b = a, a = t1 + t2;
  }
  state[0] += a, state[1] += b, state[2] += c, state[3] += d;
  state[4] += e, state[5] += f, state[6] += g, state[7] += h;
}

/* Reply: 32 bytes. */
static int64_t hash(const uint8_t* request, size_t size, uint8_t* reply, size_t capacity) {
  if (capacity < 32) return -1;
  uint32_t state[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
  size_t at = 0;
  for (; size - at >= 64; at += 64) hash_block(state, request + at);
  uint8_t last[128];
  const size_t rest = size - at, padded = rest < 56 ? 64 : 128;
  for (size_t i = 0; i < padded; ++i) last[i] = i < rest ? request[at + i] : 0;
  last[rest] = 0x80;
  store64(last + padded - 8, __builtin_bswap64((uint64_t)size * 8));
  for (size_t i = 0; i < padded; i += 64) hash_block(state, last + i);
  for (int i = 0; i < 8; ++i) store32(reply + 4 * i, __builtin_bswap32(state[i]));
  return 32;
}

/* ---- sort ---------------------------------------------------------------------------------- */

static uint32_t word(const uint8_t* words, size_t i) { return load32(words + 4 * i); }
static void set_word(uint8_t* words, size_t i, uint32_t value) { store32(words + 4 * i, value); }
static void swap_words(uint8_t* words, size_t i, size_t j) {
  const uint32_t t = word(words, i);
  set_word(words, i, word(words, j));
  set_word(words, j, t);
}

static void insertion_sort(uint8_t* words, size_t n) {
  for (size_t i = 1; i < n; ++i) {
    const uint32_t value = word(words, i);
    size_t j = i;
    for (; j > 0 && word(words, j - 1) > value; --j) set_word(words, j, word(words, j - 1));
    set_word(words, j, value);
  }
}

static void sift_down(uint8_t* words, size_t root, size_t n) {
  for (size_t child; (child = 2 * root + 1) < n; root = child) {
    if (child + 1 < n && word(words, child) < word(words, child + 1)) ++child;
    if (word(words, root) >= word(words, child)) return;
    swap_words(words, root, child);
  }
}

static void heap_sort(uint8_t* words, size_t n) {
  for (size_t i = n / 2; i-- > 0;) sift_down(words, i, n);
  for (size_t end = n; end-- > 1;) {
    swap_words(words, 0, end);
    sift_down(words, 0, end);
  }
}

/* Hoare's partition around the median of three: [0, cut) <= [cut, n), both not empty. n >= 3. */
static size_t partition(uint8_t* words, size_t n) {
  const size_t middle = (n - 1) / 2;
  if (word(words, middle) < word(words, 0)) swap_words(words, middle, 0);
  if (word(words, n - 1) < word(words, 0)) swap_words(words, n - 1, 0);
  if (word(words, n - 1) < word(words, middle)) swap_words(words, n - 1, middle);
  const uint32_t pivot = word(words, middle);
  size_t i = 0, j = n - 1;
  for (;;) {
    while (word(words, i) < pivot) ++i;
    while (word(words, j) > pivot) --j;
    if (i >= j) return j + 1;
    swap_words(words, i++, j--);
  }
}

/* Introsort (Musser 1997): quicksort, the smaller side first so that 64 entries always do, heap sort where a hostile order
 * would make it quadratic. Reply: the whole words of the request, ascending. */
static int64_t sort(const uint8_t* request, size_t size, uint8_t* reply, size_t capacity) {
  const size_t n = size / 4;
  if (capacity < 4 * n) return -1;
  for (size_t i = 0; i < n; ++i) set_word(reply, i, word(request, i));
  struct {
    size_t at, n;
    int budget;
  } todo[64];
  int depth = 0, budget = 2;
  for (size_t m = n; m > 1; m /= 2) budget += 2;
  todo[depth].at = 0, todo[depth].n = n, todo[depth].budget = budget, ++depth;
  while (depth > 0) {
    --depth;
    uint8_t* words = reply + 4 * todo[depth].at;
    const size_t at = todo[depth].at, count = todo[depth].n;
    const int left = todo[depth].budget;
    if (count <= 16) {
      insertion_sort(words, count);
    } else if (left == 0) {
      heap_sort(words, count);
    } else {
      const size_t cut = partition(words, count);
      const int small_first = cut > count - cut; /* the larger side goes below the smaller one */
      const size_t low_at = at, low_n = cut, high_at = at + cut, high_n = count - cut;
      todo[depth].at = small_first ? low_at : high_at, todo[depth].n = small_first ? low_n : high_n;
      todo[depth].budget = left - 1, ++depth;
      todo[depth].at = small_first ? high_at : low_at, todo[depth].n = small_first ? high_n : low_n;
      todo[depth].budget = left - 1, ++depth;
    }
  }
  return (int64_t)(4 * n);
}

/* ---- json_scan ----------------------------------------------------------------------------- */

static int is_number_start(uint8_t c) { return c == '-' || (c >= '0' && c <= '9'); }
static int is_number_part(uint8_t c) { return (c >= '0' && c <= '9') || c == '.' || c == 'e' || c == 'E' || c == '+' || c == '-'; }

/* Index just behind the string that opens at `at`; size + 1 when it never ends. */
static size_t string_end(const uint8_t* text, size_t size, size_t at) {
  for (size_t i = at + 1; i < size; ++i) {
    if (text[i] == '\\')
      ++i;
    else if (text[i] == '"')
      return i + 1;
  }
  return size + 1;
}

/* A scanner, not a validator. Reply: four 32-bit words: strings (keys too), numbers, greatest depth, and 1 when every string
 * and every bracket is closed by its own kind (nesting up to 64 is followed), else 0. */
static int64_t json_scan(const uint8_t* text, size_t size, uint8_t* reply, size_t capacity) {
  if (capacity < 16) return -1;
  uint32_t strings = 0, numbers = 0, depth = 0, deepest = 0, balanced = 1;
  uint64_t kinds = 0; /* bit 0: the innermost bracket is '[' */
  size_t at = 0;
  while (at < size) {
    const uint8_t c = text[at];
    if (c == '"') {
      ++strings;
      at = string_end(text, size, at);
      continue;
    }
    if (is_number_start(c)) {
      ++numbers;
      while (at < size && is_number_part(text[at])) ++at;
      continue;
    }
    if (c == '{' || c == '[') {
      kinds = (kinds << 1) | (c == '[');
      if (++depth > deepest) deepest = depth;
      if (depth > 64) balanced = 0;
    } else if (c == '}' || c == ']') {
      if (depth == 0 || (kinds & 1) != (c == ']')) balanced = 0;
      if (depth > 0) --depth;
      kinds >>= 1;
    }
    ++at;
  }
  if (at > size || depth != 0) balanced = 0;
  store32(reply, strings);
  store32(reply + 4, numbers);
  store32(reply + 8, deepest);
  store32(reply + 12, balanced);
  return 16;
}

/* ---- lookup -------------------------------------------------------------------------------- */

/* Slot of `key` or the empty slot where it would be; 0 marks an empty slot, the key 0 is kept beside the table. */
static size_t find_slot(const uint8_t* table, size_t mask, uint32_t key) {
  size_t slot = (key * 2654435769u >> 7) & mask; /* multiplicative hashing (Knuth, vol. 3, 6.4) */
  while (word(table, slot) != 0 && word(table, slot) != key) slot = (slot + 1) & mask;
  return slot;
}

/* The first half of the request's words goes into a hash table (linear probing), the other half is looked up. The table is
 * built in the reply's memory: the largest power of two of words that fits, more than there are keys or -1; as many bytes as
 * the request has are always enough. Reply: two 32-bit words: keys found, and distinct keys in the table. */
static int64_t lookup(const uint8_t* request, size_t size, uint8_t* reply, size_t capacity) {
  const size_t n = size / 4, keys = n / 2;
  if (capacity < 8) return -1;
  size_t slots = 2;
  while (slots * 2 <= capacity / 4) slots *= 2;
  if (slots <= keys) return -1;
  while (slots / 4 > keys && slots > 2) slots /= 2; /* a huge reply must not cost a huge clearing */
  for (size_t i = 0; i < slots; ++i) set_word(reply, i, 0);
  uint32_t found = 0, distinct = 0, has_zero = 0;
  for (size_t i = 0; i < keys; ++i) {
    const uint32_t key = word(request, i);
    if (key == 0) {
      distinct += !has_zero;
      has_zero = 1;
      continue;
    }
    const size_t slot = find_slot(reply, slots - 1, key);
    if (word(reply, slot) == 0) {
      set_word(reply, slot, key);
      ++distinct;
    }
  }
  for (size_t i = keys; i < n; ++i) {
    const uint32_t key = word(request, i);
    found += key == 0 ? has_zero : word(reply, find_slot(reply, slots - 1, key)) == key;
  }
  store32(reply, found);
  store32(reply + 4, distinct);
  return 8;
}

/* ---- walk, sum ----------------------------------------------------------------------------- */

/* The request's words are indices: from 0, as many dependent steps as there are words. An index outside is refused with -1.
 * Reply: two 32-bit words: where the walk ended, and the sum of all indices visited (modulo 2^32). */
static int64_t walk(const uint8_t* request, size_t size, uint8_t* reply, size_t capacity) {
  const size_t n = size / 4;
  if (capacity < 8) return -1;
  uint32_t at = 0, sum = 0;
  for (size_t step = 0; step < n; ++step) {
    at = word(request, at);
    if (at >= n) return -1;
    sum += at;
  }
  store32(reply, at);
  store32(reply + 4, sum);
  return 8;
}

/* Eight bytes at a time in four 16-bit lanes, emptied before they can overflow: 128 * 2 * 255 < 65536. Reply: 64 bits. */
static int64_t sum_bytes(const uint8_t* request, size_t size, uint8_t* reply, size_t capacity) {
  if (capacity < 8) return -1;
  const uint64_t even = 0x00ff00ff00ff00ffu;
  uint64_t total = 0;
  size_t at = 0;
  while (size - at >= 8) {
    const size_t words = (size - at) / 8 < 128 ? (size - at) / 8 : 128;
    uint64_t lanes = 0;
    for (size_t i = 0; i < words; ++i, at += 8) {
      const uint64_t w = load64(request + at);
      lanes += (w & even) + ((w >> 8) & even);
    }
    total += (lanes & 0xffff) + ((lanes >> 16) & 0xffff) + ((lanes >> 32) & 0xffff) + (lanes >> 48);
  }
  for (; at < size; ++at) total += request[at];
  store64(reply, total);
  return 8;
}

/* ---- clock --------------------------------------------------------------------------------- */

/* Reply: the time stamp counter, 64 bits. Refused by the guests for which it is not the caller's. */
static int64_t time_stamp(uint8_t* reply, size_t capacity) {
#if defined(__x86_64__) && !defined(MISSIVE_OTHER_CLOCK)
  if (capacity < 8) return -1;
  __builtin_ia32_lfence(); /* as the caller does: nothing of the call may happen on the other side of it */
  const uint64_t now = __builtin_ia32_rdtsc();
  __builtin_ia32_lfence();
  store64(reply, now);
  return 8;
#else
  (void)reply, (void)capacity;
  return -1;
#endif
}

int64_t missive_service(int32_t entry, const uint8_t* request, size_t size, uint8_t* reply, size_t capacity) {
  switch (entry) {
    case 0:
      return 0;
    case 1:
      return hash(request, size, reply, capacity);
    case 2:
      return sort(request, size, reply, capacity);
    case 3:
      return json_scan(request, size, reply, capacity);
    case 4:
      return lookup(request, size, reply, capacity);
    case 5:
      return walk(request, size, reply, capacity);
    case 6:
      return sum_bytes(request, size, reply, capacity);
    case 7:
      return time_stamp(reply, capacity);
    default:
      return -1;
  }
}
