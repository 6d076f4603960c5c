#pragma once
// What the kind of an experiment itself has to say of a result: its answer in short, and its table.

#include <string>

#include "harness/answer.h"
#include "harness/result.h"

namespace missive::harness {

struct KindAnswer {
  Answer answer;      // empty where the kind has none
  std::string table;  // what the program prints; empty for launches, whose page says it otherwise
};

// Empty for a result that does not say what was asked, or that has other points than its
// configuration (a part of a sweep): nothing can be looked up in it by place.
KindAnswer answer_of_kind(const Result& result);

}  // namespace missive::harness
