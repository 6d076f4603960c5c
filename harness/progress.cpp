#include "harness/progress.h"

#include <cstdlib>
#include <string_view>

#include <fmt/format.h>

namespace missive::harness {

Progress::~Progress() { clear_line(); }

void Progress::clear_line() {
  if (!line_shown_) return;
  stream_ << "\r\033[K" << std::flush;  // ECMA-48: erase to the end of the line
  line_shown_ = false;
}

void Progress::update(std::size_t done, std::size_t total, const std::string& what) {
  if (!enabled_) return;
  const std::lock_guard lock(mutex_);
  clear_line();
  // A line that wraps could not be taken away again.
  constexpr std::size_t kLongest = 60;
  const std::string shown = what.size() > kLongest ? what.substr(0, kLongest) : what;
  const std::string count = total > 0 ? fmt::format("[{:>3}/{}] ", done, total) : std::string{};
  if (colour_)
    stream_ << "\033[2m" << count << shown << "\033[0m" << std::flush;
  else
    stream_ << count << shown << std::flush;
  line_shown_ = true;
}

void Progress::note(const std::string& line) {
  if (!enabled_) return;
  const std::lock_guard lock(mutex_);
  clear_line();
  stream_ << line << '\n' << std::flush;
}

bool colour_wanted() {
  const char* no_color = std::getenv("NO_COLOR");
  if (no_color != nullptr && *no_color != '\0') return false;
  const char* term = std::getenv("TERM");
  return term != nullptr && std::string_view(term) != "dumb";
}

}  // namespace missive::harness
