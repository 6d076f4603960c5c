#pragma once
// For the attack matrix: the world that all attacks share, what one of them sets up, and what is
// expected of a launch under it. The attacks are in adversary_attacks_testing.h.

#include <chrono>
#include <filesystem>
#include <fstream>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "real/launch/hostile_cache_testing.h"
#include "real/launch/launcher.h"
#include "real/measure/scratch.h"
#include "real/measure/tiny_program.h"
#include "real/origin/boot_block.h"
#include "real/origin/scripted_server.h"
#include "real/origin/server.h"
#include "real/verify/block_tags.h"
#include "real/verify/verifier.h"
#include "real/zar/builder.h"
#include "real/zar/image.h"

namespace missive::launch::adversary {

namespace fs = std::filesystem;
using std::chrono::milliseconds;
using Bytes = std::vector<std::byte>;

inline constexpr std::uint32_t kBlock = 4096;
inline constexpr milliseconds kPatience{5'000};  // where no attack is about time
inline constexpr milliseconds kShort{1'000};     // where one is: what a launch may lose to it

// What all attacks share: a vendor with an application, and an origin that serves it.
class World {
 public:
  World() : scratch_(measure::scratch_parent()) {
    right_ = build("ready\n");
    wrong_ = build("");
    const auto image = zar::Image::open(right_.image, "image");
    program_ = image.entries()[image.find("/bin/ready").value()].offset;
    origin_ = std::make_unique<origin::OriginProcess>(std::vector<origin::Publication>{
        {"tiny", right_.file, right_.report.recipe, boot_block(7)}});
  }

  struct Built {
    fs::path file;
    zar::BuildReport report;
    Bytes image;
  };
  const Built& right() const { return right_; }
  const Built& wrong() const { return wrong_; }     // another image of the same vendor
  std::size_t program() const { return program_; }  // where the program lies in the right one
  const std::string& origin_url() const { return origin_->url(); }
  fs::path file(const std::string& name) const { return scratch_.path() / name; }
  const origin::SigningKey& key() const { return key_; }
  verify::PublicKey vendor() const { return origin::public_key(key_); }
  Bytes boot_block(std::uint64_t version) const { return boot_block(version, right_, key_); }
  Bytes boot_block(std::uint64_t version, const Built& built, const origin::SigningKey& key) const {
    return origin::sign({"tiny", version, built.report.name, built.report.recipe.shape}, key);
  }
  verify::ApplicationSecret secret(unsigned host = 0) const {
    return verify::application_secret(verify::MasterKey{{static_cast<std::byte>(host)}}, vendor());
  }
  verify::Expected expected(std::uint64_t version, const Built& built) const {
    return {built.report.name, built.report.recipe.shape, "tiny", version};
  }
  // Right tags of `host` for what they are made of: of the whole image, and of its blocks.
  struct Tags {
    Bytes whole, blocks;
  };
  Tags tag(const verify::Expected& e, const Built& built, unsigned host = 0) const {
    return {
        verify::make_tag(built.image, e, verify::mac_key(secret(host), e.name, e.version)).bytes,
        verify::make_block_tags(built.image, e, secret(host)).bytes};
  }

 private:
  Built build(const std::string& says) {
    const fs::path tree = scratch_.path() / ("tree-" + std::to_string(++built_));
    fs::create_directories(tree / "bin");
    // A page of its own in the image, as delivery mmap needs it.
    std::string program = measure::tiny_program(says);
    program.resize(4096);
    std::ofstream(tree / "bin/ready", std::ios::binary) << program;
    fs::permissions(tree / "bin/ready", fs::perms(0755));
    std::ofstream content(tree / "content");
    for (int i = 0; i < 3000; ++i) content << "line " << i * 7919 << '\n';
    content.close();
    Built built;
    built.file = tree.string() + ".zar";
    zar::BuildOptions options;
    options.block_size = kBlock;
    built.report = zar::build(tree, {}, options, built.file);
    std::ifstream in(built.file, std::ios::binary);
    const std::string text{std::istreambuf_iterator<char>(in), {}};
    const auto bytes = std::as_bytes(std::span(text));
    built.image.assign(bytes.begin(), bytes.end());
    return built;
  }

  measure::ScratchDirectory scratch_;
  origin::SigningKey key_ = origin::make_signing_key();
  int built_ = 0;
  Built right_, wrong_;
  std::size_t program_ = 0;
  std::unique_ptr<origin::OriginProcess> origin_;
};

// What one attack sets up. Starts as an honest hot launch of version 7.
struct Scene {
  std::vector<CacheScript> caches;  // one launch with each, one after the other; none: no cache
  origin::ScriptedServer::Script origin;  // instead of the honest one
  LaunchRequest request;
};

enum class Expect {
  unnoticed,      // launches as if nothing were
  detour,         // launches, and says what was done instead
  tag_detour,     // the same with keyed verifiers, which alone ask for it; unnoticed with others
  refused,        // one clear error
  first_only,     // detour with the first cache, unnoticed with the second
  recipe_detour,  // detour where blocks are held against a recipe; unnoticed elsewhere
};
inline std::string to_string(Expect e) {
  constexpr const char* kNames[] = {"launches",
                                    "launches by a detour",
                                    "launches; by a detour when keyed",
                                    "refused",
                                    "launches; by a detour from the liar",
                                    "launches; by a detour when lazily by the tree"};
  return kNames[static_cast<int>(e)];
}

struct Attack {
  std::string name;
  Expect expect;
  std::string word;  // in the detour or the error
  std::function<void(const World&, Scene&)> stage;
};

}  // namespace missive::launch::adversary
