#include "real/launch/launcher.h"
#include "real/launch/native.h"
#include "real/launch/ready_wait.h"
#include "real/launch/stopwatch.h"

namespace missive::launch {

LaunchOutcome launch_native(const Application& application, const std::filesystem::path& tree,
                            const Display* display, std::chrono::milliseconds deadline) {
  ReadyWait ready(application, display);
  Environment environment;
  environment.command = application.command;
  environment.variables = environment_for(application, display ? display->name() : "");
  NativeTwin twin =
      NativeTwin::prepare(tree, display ? display->socket() : std::filesystem::path());
  Stopwatch watch;
  twin.start(environment, ready.output(), ready.log());
  ready.started();
  watch.mark_at(ready.wait(deadline, twin.pidfd()), "boot.application", Phase::boot,
                Place::application);
  LaunchOutcome outcome;
  outcome.records = watch.take();
  return outcome;
}

}  // namespace missive::launch
