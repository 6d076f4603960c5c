#pragma once
// Progress and notes for a person who waits: on stderr, only when that is a terminal, one line that
// is overwritten. Colour only without NO_COLOR (https://no-color.org) and on a terminal that has
// it.

#include <cstddef>
#include <mutex>
#include <ostream>
#include <string>

namespace missive::harness {

class Progress {
 public:
  Progress(std::ostream& stream, bool enabled, bool colour)
      : stream_(stream), enabled_(enabled), colour_(colour) {}
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;
  ~Progress();  // takes the progress line away

  // "[ 3/24] what". `total` 0: not known.
  void update(std::size_t done, std::size_t total, const std::string& what);
  // A line that stays.
  void note(const std::string& line);

  bool enabled() const { return enabled_; }

 private:
  void clear_line();
  std::ostream& stream_;
  bool enabled_, colour_;
  bool line_shown_ = false;
  std::mutex mutex_;
};

// Whether to decorate a terminal's output: NO_COLOR unset or empty, TERM not "dumb".
bool colour_wanted();

}  // namespace missive::harness
