#pragma once
// Text into HTML. Everything that comes from a file, an option or the host is text and goes through
// html_escape(); only what this program writes itself is markup.

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "harness/json_source.h"

namespace missive::harness {

// Safe between tags and inside quoted attributes; bytes that are not UTF-8 become U+FFFD, control
// characters '?'.
std::string html_escape(std::string_view text);

// JSON for a <script type="application/json"> element: no '<' in it, so nothing in a string can end
// the element.
std::string json_for_script(const Json& json);

// Replaces {{name}} by the escaped value and {{{name}}} by the value as it is. Throws
// std::logic_error for a name that is not there: a template is part of the program.
std::string fill_template(std::string_view text, const std::map<std::string, std::string>& values);

// A table with a caption, scrolling on its own where the page is narrow. Cells are text.
class HtmlTable {
 public:
  // Columns from the `left`th on hold numbers, aligned right.
  HtmlTable(std::string caption, std::vector<std::string> header, std::size_t left = 1);
  void add(const std::vector<std::string>& cells, std::string_view row_class = {});
  bool empty() const { return rows_.empty(); }
  std::string html() const;

 private:
  std::string caption_;
  std::vector<std::string> header_;
  std::size_t left_;
  std::string rows_;
};

}  // namespace missive::harness
