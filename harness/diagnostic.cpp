#include "harness/diagnostic.h"

#include <algorithm>
#include <tuple>
#include <utility>

#include <fmt/format.h>

namespace missive::harness {
namespace {

std::vector<Diagnostic> in_order(std::vector<Diagnostic> diagnostics) {
  std::stable_sort(diagnostics.begin(), diagnostics.end(),
                   [](const Diagnostic& a, const Diagnostic& b) {
                     return std::tie(a.line, a.column) < std::tie(b.line, b.column);
                   });
  return diagnostics;
}

std::string lines(const std::vector<Diagnostic>& diagnostics) {
  std::string text;
  for (const Diagnostic& diagnostic : diagnostics) {
    if (!text.empty()) text += '\n';
    text += to_string(diagnostic);
  }
  return text;
}

}  // namespace

std::string to_string(const Diagnostic& d) {
  std::string text = d.file;
  if (d.line > 0) text += fmt::format(":{}:{}", d.line, d.column);
  if (!text.empty()) text += ": ";
  if (!d.pointer.empty()) text += d.pointer + ": ";
  return text + d.message;
}

InputErrors::InputErrors(std::vector<Diagnostic> diagnostics)
    : InputError(lines(in_order(diagnostics))), diagnostics_(in_order(std::move(diagnostics))) {}

}  // namespace missive::harness
