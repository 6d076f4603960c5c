#pragma once
// The design axes of a zarfile as registries: each choice is one small file with one object, and
// one line in the registry. Its name is the value in JSON and on the command line; its id goes into
// the image.

#include <cstdint>
#include <string>
#include <vector>

#include "models/error.h"
#include "models/nearest.h"

namespace missive::zar {

template <typename Choice>
std::vector<std::string> names_of(const std::vector<const Choice*>& registry) {
  std::vector<std::string> names;
  for (const Choice* c : registry) names.emplace_back(c->name);
  return names;
}

// Throws InputError with the nearest known name; `axis` says what was looked for ("packing").
template <typename Choice>
const Choice& choose(const std::vector<const Choice*>& registry, const std::string& axis,
                     const std::string& name) {
  for (const Choice* c : registry)
    if (name == c->name) return *c;
  std::string known;
  for (const Choice* c : registry) known += (known.empty() ? "" : ", ") + std::string(c->name);
  throw InputError(axis + " \"" + name + "\": unknown" + did_you_mean(name, names_of(registry)) +
                   "; known are " + known);
}

// What an id in an image stands for, for people to read.
template <typename Choice>
std::string name_of(const std::vector<const Choice*>& registry, std::uint8_t id) {
  for (const Choice* c : registry)
    if (c->id == id) return c->name;
  return "unknown (" + std::to_string(id) + ")";
}

}  // namespace missive::zar
