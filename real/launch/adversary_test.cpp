// The attack matrix: every attack x every registered verifier x every registered delivery x every
// mode of verification that the delivery can. Each cell launches the right bytes or refuses with a
// clear reason; never other bytes, a hang or a crash. docs/attacks.md has the table of attacks, and
// is held against that of the code.
//
// How a cell knows which bytes ran: images that are not the right one hold a program that does not
// say "ready", or none. Each launch is a process of its own, so that a crash and a hang are seen.

#include <algorithm>
#include <cctype>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <memory>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "models/error.h"
#include "real/launch/adversary_attacks_testing.h"
#include "real/launch/outcome_json.h"
#include "real/launch/picoprocess.h"
#include "real/process.h"
#include "real/verify/verification_mode.h"

namespace missive::launch::adversary {
namespace {

using testing::HasSubstr;

constexpr milliseconds kHang{60'000};  // what takes longer hangs

class Adversary : public testing::TestWithParam<std::size_t> {
 protected:
  static void SetUpTestSuite() {
    if (picoprocess_unavailable().empty()) world_ = new World;
  }
  static void TearDownTestSuite() {
    delete world_;
    world_ = nullptr;
  }
  void SetUp() override {
    if (const auto why = picoprocess_unavailable(); !why.empty()) GTEST_SKIP() << why;
  }

  static Scene honest() {
    const World& w = *world_;
    Scene s;
    s.caches.resize(1);
    s.caches[0].image = w.right().image;
    s.caches[0].recipe = w.right().report.recipe.serialize();
    set_tags(s.caches[0], w.tag(w.expected(7, w.right()), w.right()));
    s.request.application = {"tiny", {}, {"/bin/ready"}, ReadyMark::first_output, ""};
    s.request.vendor = w.vendor();
    s.request.boot_block = w.boot_block(7);
    s.request.secret = w.secret();
    s.request.deadline = kPatience;
    s.request.origin_url = w.origin_url();
    s.request.cache_socket = w.file("cache.socket");
    return s;
  }

  // The launch's detours, "" for none; an error's text is thrown.
  static std::string launched(const LaunchRequest& request) {
    const LaunchOutcome outcome = decode_outcome(
        run_in_child([&] { return encode(launch(request)); }, kHang, "launch under attack"));
    EXPECT_TRUE(std::ranges::any_of(outcome.records,
                                    [](const Record& r) { return r.step == "boot.application"; }));
    EXPECT_LE(outcome.detours.size(), 2u) << "the tree instead of the tag, then the origin";
    std::string said;
    for (const std::string& detour : outcome.detours) said += (said.empty() ? "" : "; ") + detour;
    return said;
  }

  static World* world_;
};
World* Adversary::world_ = nullptr;

void judge(const Attack& attack, bool detour, const std::string& said) {
  EXPECT_EQ(said.find('\n'), std::string::npos) << "one line: " << said;
  EXPECT_LT(said.size(), 2000u);
  if (detour) {
    EXPECT_FALSE(said.empty()) << "launched, and noticed nothing";
    EXPECT_THAT(said, HasSubstr(attack.word));
  } else {
    EXPECT_EQ(said, "");
  }
}

void run_cell(const Attack& attack, Scene& scene, const fs::path& nobody,
              const std::function<std::string(const LaunchRequest&)>& launched) {
  using enum Expect;
  std::unique_ptr<ChildProcess> origin;
  if (scene.origin) {
    origin = std::make_unique<ChildProcess>(
        ChildProcess::Options{.name = "hostile origin", .keep = {}, .drop_to = {}},
        [&](const ChildProcess::Ready& ready) {
          const ScriptedServer server(scene.origin);
          ready(server.url());
          wait_for_sigterm();
          return 0;
        });
    scene.request.origin_url = origin->report();
  }
  const std::size_t launches = std::max<std::size_t>(scene.caches.size(), 1);
  for (std::size_t i = 0; i < launches; ++i) {
    std::unique_ptr<HostileCache> cache;
    if (scene.caches.empty())
      scene.request.cache_socket = nobody;
    else
      cache = std::make_unique<HostileCache>(scene.request.cache_socket, scene.caches[i]);
    try {
      const std::string said = launched(scene.request);
      EXPECT_NE(attack.expect, refused) << "launched";
      judge(attack,
            attack.expect == detour || (attack.expect == tag_detour && scene.request.keyed) ||
                (attack.expect == first_only && i == 0) ||
                (attack.expect == recipe_detour && !scene.request.keyed &&
                 verify::verification_mode(scene.request.verification).lazy),
            said);
    } catch (const Error& e) {
      EXPECT_EQ(attack.expect, refused) << e.what();
      judge(attack, true, e.what());
    }
  }
  if (origin) origin->kill_now();
}

TEST_P(Adversary, NeverWrongBytes) {
  const Attack& attack = attacks()[GetParam()];
  std::printf("  %-62s", attack.name.c_str());
  for (const auto& verifier : verify::verifiers())
    for (const auto& method : deliveries())
      for (const auto& mode : verify::verification_modes()) {
        if (mode.lazy && !method.lazy) continue;
        const std::string cell = verifier.name + "/" + method.name + "/" + mode.name;
        if (!method.unavailable_for(mode.lazy).empty()) {
          std::printf(" %s:n/a", cell.c_str());
          continue;
        }
        SCOPED_TRACE(attack.name + ", " + cell);
        Scene scene = honest();
        scene.request.keyed = verifier.keyed;
        scene.request.delivery = method.name;
        scene.request.verification = mode.name;
        attack.stage(*world_, scene);
        run_cell(attack, scene, world_->file("nobody"), launched);
        std::printf(" %s:%s", cell.c_str(), HasFailure() ? "BROKEN" : "held");
      }
  std::printf("\n");
}

INSTANTIATE_TEST_SUITE_P(Matrix, Adversary, testing::Range(std::size_t{0}, attacks().size()),
                         [](const auto& each) {
                           std::string name = attacks()[each.param].name;
                           for (char& c : name)
                             if (std::isalnum(static_cast<unsigned char>(c)) == 0) c = '_';
                           return std::to_string(each.param) + "_" + name;
                         });

// To write it anew: MISSIVE_WRITE_ATTACKS=1 build/release/real_launch_adversary_test
TEST(AdversaryTable, IsTheOneInTheDocument) {
  std::string table = "| attack | outcome | it says |\n|---|---|---|\n";
  for (const Attack& a : attacks())
    table += "| " + a.name + " | " + to_string(a.expect) + " | " +
             (a.word.empty() ? "" : "`" + a.word + "`") + " |\n";
  const fs::path file = "docs/attacks.md";  // tests run in the source folder
  std::ifstream in(file);
  std::string text{std::istreambuf_iterator<char>(in), {}};
  const std::string begin = "<!-- attacks -->\n", end = "<!-- end -->";
  const std::size_t from = text.find(begin) + begin.size(), to = text.find(end);
  ASSERT_LE(from, to);
  if (std::getenv("MISSIVE_WRITE_ATTACKS") != nullptr)
    std::ofstream(file) << text.replace(from, to - from, table);
  else
    EXPECT_EQ(text.substr(from, to - from), table);
}

}  // namespace
}  // namespace missive::launch::adversary
