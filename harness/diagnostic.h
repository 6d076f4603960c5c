#pragma once
// What is wrong with a file, with the place of every problem. A file is read to its end before
// anything is said, so that its author sees all problems at once.

#include <cstddef>
#include <string>
#include <vector>

#include "models/error.h"

namespace missive::harness {

struct Diagnostic {
  std::string file;
  std::size_t line = 0;    // from 1; 0 where the problem has no place in the text (a --set option)
  std::size_t column = 0;  // from 1, in characters, not bytes
  std::string pointer;     // JSON pointer (RFC 6901); empty for the document or a syntax error
  std::string message;     // "WHAT; WHAT TO DO"
};

// "FILE:LINE:COLUMN: POINTER: MESSAGE"; parts that are not known are left out.
std::string to_string(const Diagnostic& diagnostic);

// All problems of a file. what() has one line for each, in the order of the text.
class InputErrors : public InputError {
 public:
  explicit InputErrors(std::vector<Diagnostic> diagnostics);
  const std::vector<Diagnostic>& diagnostics() const { return diagnostics_; }

 private:
  std::vector<Diagnostic> diagnostics_;
};

}  // namespace missive::harness
