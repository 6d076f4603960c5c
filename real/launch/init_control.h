#pragma once
// The launcher's side of the conversation with an init (init_protocol.h). Internal to
// picoprocess.cpp and native.cpp.

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <sys/types.h>

#include "real/fd.h"
#include "real/launch/init_program.h"
#include "real/launch/init_protocol.h"
#include "real/launch/mapped_program.h"
#include "real/launch/picoprocess.h"

namespace missive::launch {

struct InitRequest {
  Confinement confinement = Confinement::full;
  int root = -1;     // placed during preparation when given, else start_application() has it
  int display = -1;  // mount of the display's socket; only with root
  std::string display_name;  // only with display
};

struct InitProcess {
  pid_t pid = -1;
  UniqueFd pidfd, control;
  std::unique_ptr<InitStart> start;
  std::string who;               // begins error messages about its preparation
  std::int64_t prepared_ns = 0;  // once await_prepared() has returned
};

// Starts an init in new `namespaces` (CLONE_NEW*) and returns; init makes the rest of them and
// prepares itself meanwhile. `who` begins error messages ("cannot make a picoprocess"). The
// request's descriptors may be closed afterwards. Throws NotAvailable or RunError.
InitProcess make_init(const InitRequest& request, std::uint64_t namespaces, const std::string& who);

// Waits until init has prepared itself; returns when that was (CLOCK_MONOTONIC, ns). Throws
// NotAvailable (namespaces refused) or RunError (the step that failed).
std::int64_t await_prepared(InitProcess& process);

// The paths to try for the command's program, in order: execvp(3)'s rule. `command` is not empty.
std::vector<std::string> programs_to_try(const Environment& environment);

// Has it start the application, once it has prepared itself; returns when exec has succeeded.
// `root` is null when it was placed during preparation. With `mapped` the application is that
// program, and this returns when it is mapped. Throws InputError (command too long, NUL) or what
// await_prepared() does.
void start_application(InitProcess& process, const UniqueFd* root, const Environment& environment,
                       int output, int log, const MappedProgram* mapped = nullptr);

// Ends init and with it (full confinement) every process of its pid namespace; waits for it.
void kill_init(InitProcess& process) noexcept;
// Asks init to end its descendants and itself, kills it when it has not within 10 s; waits for it.
void dismiss_init(InitProcess& process) noexcept;

bool alive(const InitProcess& process);

}  // namespace missive::launch
