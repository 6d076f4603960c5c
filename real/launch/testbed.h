#pragma once
// Everything a measured launch needs around it: the applications' roots and images, the vendor's
// origin, an untrusted cache in the asked-for state, a display. Made once per experiment; each
// launch then runs in a process of its own.
//
// Cache states (docs/models.md, "Temperatures"):
//   cold   a new cache with an empty store
//   warm   a new cache whose store holds every block of another application, and nothing of this
//   one hot    a cache that has launched this image before: image assembled, tag stored

#include <chrono>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "models/launch.h"
#include "real/cache/server.h"
#include "real/fd.h"
#include "real/launch/launcher.h"
#include "real/measure/scratch.h"
#include "real/origin/boot_block.h"
#include "real/origin/server.h"
#include "real/zar/builder.h"

namespace missive::launch {

struct TestbedOptions {
  Application application;
  Application warm_with;
  zar::BuildOptions image;
  std::chrono::milliseconds deadline{30000};
  std::function<void(const std::string&)> progress = [](const std::string&) {};
};

// What of a launch varies from point to point.
struct LaunchVariant {
  Temperature temperature = Temperature::hot;
  bool keyed = true;
  std::string delivery = "fuse";
  HandOver hand_over = HandOver::sealed;
  std::string verification = "eager";
  bool operator==(const LaunchVariant&) const = default;
};

// Facts about an image as its index gives them, for the planner.
ImageFacts image_facts(const zar::Image& image, const zar::BuildReport& report);
// Distinct blocks of `recipe` that are not among `held`.
std::uint64_t missing_blocks(const zar::Recipe& recipe, const zar::Recipe* held);

class Testbed {
 public:
  // Without root it moves this process into a user namespace (gain_mount_rights()): there must be
  // no other thread yet. Throws NotAvailable (rights, tools, network) or RunError.
  explicit Testbed(TestbedOptions options);
  ~Testbed();

  const ImageFacts& image() const { return facts_; }
  const ApplicationFacts& application() const { return application_facts_; }
  std::uint64_t missing(Temperature temperature) const;

  // One launch. Throws as launch() does, or when it did not go as planned (a detour): such a launch
  // is no sample.
  LaunchOutcome launch(const LaunchVariant& variant);
  // `count` hot launches at the same moment from one cache, each in a process of its own and on a
  // display of its own. In the order in which they were started; throws as launch() does, once all
  // have ended.
  std::vector<LaunchOutcome> launch_together(const LaunchVariant& variant, std::size_t count);
  // One start of the native twin, from the same files unpacked into a directory.
  LaunchOutcome native();

 private:
  struct Packed {
    zar::BuildReport report;
    std::filesystem::path file;
  };
  Packed pack(const Application& application);
  std::unique_ptr<cache::CacheProcess> start_cache(const std::filesystem::path& store);
  cache::CacheProcess& hot_cache(const LaunchVariant& variant);
  LaunchOutcome in_child(const std::function<LaunchOutcome()>& work, const std::string& what);
  LaunchOutcome launch_in_child(const LaunchRequest& request, const std::string& what);
  LaunchOutcome launch_with_secret(LaunchRequest request) const;  // in the launching child alone
  LaunchRequest request(const LaunchVariant& variant) const;
  verify::ApplicationSecret secret() const;

  TestbedOptions options_;
  measure::ScratchDirectory scratch_;
  verify::PublicKey vendor_{};
  std::vector<std::byte> boot_block_;
  Packed packed_, warm_packed_;
  ImageFacts facts_;
  ApplicationFacts application_facts_;
  std::uint64_t warm_missing_ = 0;
  std::filesystem::path tree_;
  std::unique_ptr<Display> display_;
  std::unique_ptr<origin::OriginProcess> origin_;
  std::filesystem::path warm_store_;
  std::unique_ptr<cache::CacheProcess> hot_cache_;
  bool hot_block_tags_ = false;  // it has those as well
  std::uint64_t caches_ = 0;
};

}  // namespace missive::launch
