#pragma once
// Plain text tables for terminals. Widths count characters, not bytes, so that UTF-8 aligns (wide
// and combining characters are not used here); nothing but spaces and '-' is drawn.

#include <cstddef>
#include <string>
#include <vector>

namespace missive::harness {

class Table {
 public:
  // The first column is aligned left, the others right.
  explicit Table(std::vector<std::string> header) { rows_.push_back(std::move(header)); }
  void add(std::vector<std::string> row) { rows_.push_back(std::move(row)); }
  void rule() { rows_.emplace_back(); }
  void align_left(std::size_t columns) { left_ = columns; }
  std::string text(const std::string& indent = "") const;

 private:
  std::vector<std::vector<std::string>> rows_;  // an empty row is a rule
  std::size_t left_ = 1;                        // so many columns from the first
};

// Characters of a UTF-8 text.
std::size_t width(const std::string& text);

}  // namespace missive::harness
