#pragma once
// Errors as the user sees them: one line that says what is wrong, where, and what to do about it.
// Library code throws; only harness/main.cpp prints and chooses the exit status.

#include <stdexcept>
#include <string>

namespace missive {

// Exit status of the program; scripts rely on these numbers (README, "Exit status").
enum class ExitStatus : int {
  ok = 0,
  run_failed = 1,
  bad_input = 2,
  claim_failed = 3,
  not_available = 4,
  interrupted = 130,
};

class Error : public std::runtime_error {
 public:
  Error(ExitStatus status, const std::string& message)
      : std::runtime_error(message), status_(status) {}
  ExitStatus status() const { return status_; }

 private:
  ExitStatus status_;
};

// A file, flag or message that is not what it should be. Message form: "WHERE: WHAT; WHAT TO DO".
struct InputError : Error {
  explicit InputError(const std::string& message) : Error(ExitStatus::bad_input, message) {}
};

// Something was started and did not succeed.
struct RunError : Error {
  explicit RunError(const std::string& message) : Error(ExitStatus::run_failed, message) {}
};

// This host cannot do it; the message says what is missing.
struct NotAvailable : Error {
  explicit NotAvailable(const std::string& message) : Error(ExitStatus::not_available, message) {}
};

// SIGINT or SIGTERM arrived; everything has been taken down.
struct Interrupted : Error {
  explicit Interrupted(const std::string& message) : Error(ExitStatus::interrupted, message) {}
};

}  // namespace missive
