// The tracer on a program that is known page by page: this test program itself, started again.

#include "real/trace/tracer.h"

#include <iostream>

#include <gmock/gmock.h>

#include "real/launch/probe_testing.h"

namespace missive::trace {
namespace {

using namespace missive::launch::testing;
using launch::LaunchTrace;
using launch::picoprocess_unavailable;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::Not;

int probe() {
  const UniqueFd file(::open("/data/large", O_RDONLY));
  char byte = 0;
  for (const int page : {5, 2, 5, 40}) {
    if (::pread(file.get(), &byte, 1, page * 4096) != 1) return 1;
  }
  struct stat status {};
  ::stat("/data/page", &status);  // looked at, not opened
  ::stat("/absent", &status);
  std::cout << "ready" << std::endl;
  return 0;
}

class Tracer : public ::testing::Test {
 protected:
  void SetUp() override {
    MISSIVE_NEEDS_PICOPROCESS();
    MISSIVE_NEEDS_FUSE();
    application_.name = "probe";
    application_.command = {"/probe", "--probe", "x"};
    application_.ready = launch::ReadyMark::first_output;
  }
  TemporaryDirectory directory_;
  launch::Application application_;
};

TEST_F(Tracer, RecordsFilesPagesAndLookUps) {
  const fs::path out = directory_.path() / "probe.trace.gz";
  const Recorded recorded = record_trace(application_, ProbeImage::get().tree(), out);
  const LaunchTrace trace = launch::read_trace(out);
  EXPECT_EQ(trace.selection.files.size(), recorded.files);
  EXPECT_EQ(trace.pages_touched, recorded.pages_touched);
  EXPECT_THAT(trace.selection.files, Contains("/probe"));
  EXPECT_THAT(trace.selection.files, Contains("/data/page"));
  EXPECT_THAT(trace.selection.files, Not(Contains("/data/many/1")));
  std::vector<std::uint32_t> pages;
  for (const auto& run : trace.selection.runs) {
    if (run.path == "/data/large") pages.push_back(run.first_page);
    EXPECT_NE(run.path, "/data/page");
  }
  EXPECT_THAT(pages, ElementsAre(5, 2, 40));
  EXPECT_GE(trace.lookups_missing, 1u);
  EXPECT_GT(trace.lookups_found, 3u);
}

TEST_F(Tracer, TheImageMadeFromATraceStartsTheApplication) {
  const fs::path out = directory_.path() / "probe.trace.gz";
  const Recorded recorded = record_trace(application_, ProbeImage::get().tree(), out);
  const fs::path file = directory_.path() / "image";
  zar::build(ProbeImage::get().tree(), launch::read_trace(out).selection, {}, file);
  const UniqueFd fd(::open(file.c_str(), O_RDONLY | O_CLOEXEC));
  const Mapping mapping = Mapping::read_only(fd.get(), fs::file_size(file), "image");
  const zar::Image image = zar::Image::open(mapping.bytes(), "image");
  const auto delivery = launch::make_fuse_delivery();
  launch::Picoprocess process = launch::Picoprocess::create();
  const UniqueFd root = delivery->deliver(image, nullptr);
  Pipe output;
  process.start(root, probe_environment({"--probe", "x"}), output.in.get(), 2);
  output.in.reset();
  EXPECT_EQ(read_all(output.out.get()), "ready\n");
  // What it reads was recorded, so next to nothing is asked for; address-space randomisation moves
  // a few pages between runs.
  EXPECT_LT(delivery->served().reads, recorded.pages_touched / 4);
}

TEST_F(Tracer, AFailedRecordingLeavesNoFile) {
  application_.command = {"/no-such-program"};
  const fs::path out = directory_.path() / "probe.trace.gz";
  EXPECT_THROW(record_trace(application_, ProbeImage::get().tree(), out), RunError);
  EXPECT_TRUE(fs::is_empty(directory_.path()));
}

}  // namespace
}  // namespace missive::trace

int main(int argc, char** argv) {
  if (argc >= 3 && std::string(argv[1]) == "--probe") return missive::trace::probe();
  ::testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
