#pragma once
// When an image is verified. Adding a mode: one line in verification_mode.cpp, and what the
// launcher does with it. The name is the JSON value.

#include <string>
#include <vector>

namespace missive::verify {

struct VerificationMode {
  std::string name;  // "eager", "lazy"
  std::string what;
  bool lazy = false;
};
const std::vector<VerificationMode>& verification_modes();
// Throws InputError with the known names.
const VerificationMode& verification_mode(const std::string& name);

}  // namespace missive::verify
