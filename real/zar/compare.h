#pragma once
// What of one image another one has already, in the two ways that count (docs/zarfile-format.md,
// "Comparing images"):
//
//   by content   anywhere: what the network need not carry, because a cache holds it
//   by place     the same content at the same offset: what need not be copied when an image is
//                assembled in a buffer that still holds the other one

#include <cstdint>

#include "real/zar/recipe.h"

namespace missive::zar {

struct Share {
  std::uint64_t units = 0, bytes = 0;
  bool operator==(const Share&) const = default;
};

// Every unit of `to` is in exactly one of the first three; every one of `from` in undisturbed,
// moved_from or gone.
struct Comparison {
  Share undisturbed;  // in both, at the same offset
  Share moved;        // of `to`: `from` has it, at another offset
  Share fresh;        // only in `to`
  Share moved_from;   // of `from`: `to` has it, at another offset
  Share gone;         // only in `from`
  // What a client that has all of `from` still has to fetch: units of `fresh`, each once ...
  Share network;
  std::uint64_t recipe = 0;  // ... and the recipe, to know them
  // What is written into a buffer that holds `from`: moved and fresh.
  Share copies() const { return {moved.units + fresh.units, moved.bytes + fresh.bytes}; }
};

// Throws InputError when the two are not cut in the same manner: then no unit can be shared.
Comparison compare(const Recipe& from, const Recipe& to);

}  // namespace missive::zar
