#pragma once
// For tests of what is refused: the one line that says so.

#include <string>

#include <gtest/gtest.h>

#include "models/error.h"

namespace missive {

// The message of the error that `call` must throw.
template <typename Expected = RunError, typename Call>
std::string error_of(Call&& call) {
  try {
    call();
  } catch (const Expected& e) {
    EXPECT_EQ(std::string(e.what()).find('\n'), std::string::npos) << "not one line";
    return e.what();
  }
  ADD_FAILURE() << "not the expected error";
  return {};
}

}  // namespace missive
