#include "real/launch/reader.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include "real/launch/launch_runs.h"
#include "real/launch/native.h"
#include "real/launch/probe_testing.h"
#include "real/measure/mapped_pages.h"

namespace missive::launch {
namespace {

using namespace missive::launch::testing;

constexpr std::uint64_t kMiB = std::uint64_t{1} << 20;

TEST(Reader, ItsNameSaysAllOfIt) {
  for (const Reader& what : {Reader{kMiB, 0}, Reader{500 * kMiB, 0.25}, Reader{1024 * kMiB, 1}}) {
    const Application application = reader(what);
    const auto read = reader_of(application.name);
    ASSERT_TRUE(read) << application.name;
    EXPECT_EQ(read->bytes, what.bytes);
    EXPECT_EQ(read->touched, what.touched);
  }
  EXPECT_EQ(reader({500 * kMiB, 0.25}).name, "reader-500MiB-0.25");
  for (const char* name : {"gnumeric", "reader", "reader-", "reader-5MiB", "reader-5MiB-",
                           "reader-5-1", "reader-xMiB-1", "reader-5MiB-1x", "reader-99999999MiB-1"})
    EXPECT_FALSE(reader_of(name)) << name;
}

TEST(Reader, WhatCannotBeIsAnInputError) {
  EXPECT_THROW(reader({0, 0.5}), InputError);
  EXPECT_THROW(reader({kMiB + 1, 0.5}), InputError);
  EXPECT_THROW(reader({1025 * kMiB, 0.5}), InputError);
  EXPECT_THROW(reader({kMiB, -0.1}), InputError);
  EXPECT_THROW(reader({kMiB, 1.1}), InputError);
}

TEST(Reader, ItsImageHasTheSizeAndTheRunsThatWereAskedFor) {
  TemporaryDirectory directory;
  const Reader what{4 * kMiB, 0.5};
  const Application application = reader(what);
  const fs::path tree = root_of(application, directory.path());
  const fs::path file = directory.path() / "image";
  const auto report = zar::build(tree, trace_of(application).selection, {}, file);
  EXPECT_EQ(report.files, 1u + 12u);
  EXPECT_EQ(report.content_bytes, 4 * kMiB + 4096 + 12 * 2048);
  const UniqueFd fd(::open(file.c_str(), O_RDONLY | O_CLOEXEC));
  const Mapping memory = Mapping::read_only(fd.get(), fs::file_size(file), "image");
  EXPECT_EQ(launch_run_bytes(zar::Image::open(memory.bytes(), "image")), 4096 + 2 * kMiB);
  EXPECT_EQ(root_of(application, directory.path()), tree) << "made once";
}

// The program, started natively: what it has mapped when it says that it is ready.
TEST(Reader, ItTouchesTheShareAndThenIsReady) {
  MISSIVE_NEEDS_PICOPROCESS();
  for (const double share : {0.0, 0.5, 1.0}) {
    TemporaryDirectory directory;
    const Application application = reader({4 * kMiB, share});
    const fs::path tree = root_of(application, directory.path());
    struct stat program {};
    ASSERT_EQ(::stat((tree / "bin/reader").c_str(), &program), 0);
    NativeTwin twin = NativeTwin::prepare(tree, {});
    Environment environment = probe_environment({});
    environment.command = application.command;
    Pipe output;
    twin.start(environment, output.in.get(), 2);
    std::array<char, 6> said{};
    ASSERT_EQ(::read(output.out.get(), said.data(), said.size()), 6);
    EXPECT_EQ(std::string(said.data(), said.size()), "ready\n");
    std::uint64_t resident = 0;
    for (const std::string& pid : processes_with("/bin/reader"))
      resident += measure::mapped_pages(std::stoi(pid), program.st_dev, program.st_ino).resident;
    // Its page of code; and a fault may bring neighbours (16 pages of them).
    EXPECT_GE(resident, 4096 + static_cast<std::uint64_t>(share * 4) * kMiB);
    EXPECT_LE(resident, 4096 + static_cast<std::uint64_t>(share * 4) * kMiB + 65536);
  }
}

}  // namespace
}  // namespace missive::launch
