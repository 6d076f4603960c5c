#pragma once
// What applications share, as an expectation: from how many of N applications hold each unit
// (block, chunk, file) it follows what the n-th of them costs when n - 1 others, drawn at random
// without replacement, are there already. Closed forms (hypergeometric), no sampling.

#include <cstddef>
#include <vector>

namespace missive {

// bytes[k]: of units that exactly k of the N applications hold, each unit once. bytes[0] is 0;
// size N + 1.
struct HolderBytes {
  std::vector<double> bytes;
  std::size_t applications() const { return bytes.empty() ? 0 : bytes.size() - 1; }
};

// Mean over all orders of the bytes of the n-th application that none of the n - 1 before it has:
//   sum over k of bytes[k] * k/N * C(N - k, n - 1) / C(N - 1, n - 1)
// n = 1 is the mean application, n = N the mean over leaving one out. Throws std::domain_error
// unless 1 <= n <= N.
double expected_new_bytes(const HolderBytes& holders, std::size_t n);

// Mean of the union of n applications: sum over k of bytes[k] * (1 - C(N - k, n) / C(N, n)).
double expected_union_bytes(const HolderBytes& holders, std::size_t n);

// A power law new(n) = a n^-b through the upper half of a curve (least squares of logarithms), with
// which to look past its end. `curve[i]` is the cost of the (i + 1)-th application, at least four,
// positive from the middle on. Throws std::domain_error otherwise.
struct CommonalityFit {
  double a = 0, b = 0;
  double at(double n) const;
};
CommonalityFit fit_commonality(const std::vector<double>& curve);

// Bytes of an application's private part in a zarfile of this project (docs/zarfile-format.md):
// index entry (40) and path of each file; and the recipe, a header (32) and for each unit a digest
// (32) and, where not all are equally long, gap and length (8).
double commonality_metadata_bytes(double files, double path_bytes);
double commonality_recipe_bytes(double units, bool equally_long);

}  // namespace missive
