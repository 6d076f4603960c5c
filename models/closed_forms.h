#pragma once
// Closed forms behind statements that need no experiment: each is one line of arithmetic with its
// source, callable by name, so that a claim (experiments/claims.json) or a notebook computes the
// number instead of copying it.
//
// All arguments and results are in SI units (seconds, bytes, shares as fractions).

#include <functional>
#include <map>
#include <string>
#include <vector>

namespace missive {

struct ClosedForm {
  std::string name;
  std::string what;                    // the equation, in one line
  std::vector<std::string> arguments;  // all required
  // Called with every argument. Throws std::domain_error for a value outside the form's domain.
  std::function<double(const std::map<std::string, double>&)> value;
};

const std::vector<ClosedForm>& closed_forms();

// Throws InputError: no such form (with the nearest name), an argument that is missing, unknown or
// outside the form's domain.
double closed_form(const std::string& name, const std::map<std::string, double>& arguments);

// Merkle records a client needs to know every block of an image: all nodes of a complete tree of
// `degree` over the blocks, without the root, 24 bytes each (position and SHA-1; ZFTP as released).
double merkle_recipe_bytes(double image_bytes, double block_bytes, double degree);

}  // namespace missive
