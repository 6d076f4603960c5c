#pragma once
// The launcher: starts an application from an untrusted cache, and says how long each phase took.
//
// It trusts the vendor's public key and the host's master key, nothing else. Whatever the cache
// does, a launch either runs the vendor's bytes or ends with one clear error within a bounded time:
// when the cache fails, lies or stays silent, the launcher turns to the origin directly; when a tag
// does not match, it falls back to the Merkle tree. Lazily the application may have started when a
// lie is found: it is ended, with all it did, and started again from the origin's bytes.

#include <chrono>
#include <filesystem>
#include <string>
#include <vector>

#include "models/launch.h"
#include "models/plan.h"
#include "real/launch/application.h"
#include "real/launch/delivery.h"
#include "real/launch/ready.h"
#include "real/verify/keychain.h"
#include "real/verify/verification_mode.h"

namespace missive::launch {

struct LaunchRequest {
  Application application;
  std::vector<std::byte> boot_block;  // as the vendor signed it
  verify::PublicKey vendor{};
  verify::ApplicationSecret secret{};
  std::filesystem::path cache_socket;
  std::string origin_url;  // asked directly only when the cache fails
  // Which versions this host has launched (real/verify/version_store.h); empty: none is kept, and
  // an old boot block passes.
  std::filesystem::path version_store;
  bool keyed = false;  // verifier: MAC once a tag is there (true), or the tree every time
  std::string verification = "eager";  // verification_mode.h; "lazy" needs a lazy delivery
  std::string delivery = "fuse";
  HandOver hand_over = HandOver::sealed;
  std::chrono::milliseconds deadline{
      30000};                        // of each exchange, and of the wait for the ready mark
  const Display* display = nullptr;  // required when the ready mark is a window
};

struct LaunchOutcome {
  // Those up to the ready mark tile the launch: each starts where the one before ended. What went
  // on behind the application (phase background) follows them.
  std::vector<Record> records;
  // Empty when the launch went as planned. Otherwise what went wrong and what was done instead, one
  // sentence each.
  std::vector<std::string> detours;
  Served served;  // what the FUSE server answered until the ready mark
};

// Launches, waits for the ready mark and, lazily, until the rest of the image is verified; then
// ends the application. Throws InputError (boot block), RunError (older than a version that was
// launched, cache and origin both failed, application ended before its ready mark, deadline) or
// NotAvailable.
LaunchOutcome launch(const LaunchRequest& request);

// Starts the same application from an unpacked tree, without cache or picoprocess: its native twin.
// One record, phase boot.
LaunchOutcome launch_native(const Application& application, const std::filesystem::path& tree,
                            const Display* display, std::chrono::milliseconds deadline);

}  // namespace missive::launch
