#pragma once
// Strict JSON (RFC 8259) with positions: every key and value remembers the line and column it stood
// at, so that whoever checks the document later can point at the text. Duplicate keys, NaN,
// trailing commas and text after the document are errors. Comments are accepted in *.jsonc only.
//
// Bounds: kMaxBytes of text and kMaxDepth nested containers; a larger file is refused, not read.

#include <filesystem>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include <nlohmann/json.hpp>

#include "harness/diagnostic.h"

namespace missive::harness {

// Keeps keys in the order of the text: a sweep runs in the order its author wrote.
using Json = nlohmann::ordered_json;

inline constexpr std::size_t kMaxBytes = 4U << 20U;
inline constexpr std::size_t kMaxDepth = 64;

struct Position {
  std::size_t line = 0, column = 0;
};

class JsonSource {
 public:
  // Throws InputErrors: unreadable, not a file, empty, truncated, too large, not JSON, duplicate
  // keys.
  static JsonSource read(const std::filesystem::path& file);
  static JsonSource parse(std::string text, const std::string& name, bool comments = false);

  const Json& document() const { return document_; }
  const std::string& name() const { return name_; }  // as the user wrote it
  const std::string& text() const { return text_; }

  // Where the value stands. For a pointer the text does not have: its nearest parent.
  Position value_at(const std::string& pointer) const;
  // Where the key of an object's member stands; the value's place for array elements.
  Position key_at(const std::string& pointer) const;

  Diagnostic at_value(const std::string& pointer, std::string message) const;
  Diagnostic at_key(const std::string& pointer, std::string message) const;

 private:
  friend class PositionedBuilder;
  std::string name_, text_;
  Json document_;
  std::unordered_map<std::string, Position> values_, keys_;
};

// One more step of a JSON pointer: escapes "~" and "/".
std::string child(const std::string& pointer, std::string_view key);
std::string child(const std::string& pointer, std::size_t index);

}  // namespace missive::harness
