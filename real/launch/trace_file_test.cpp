#include <filesystem>
#include <fstream>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>
#include <zlib.h>

#include "models/error.h"
#include "real/data_dir.h"
#include "real/launch/application.h"
#include "real/measure/scratch.h"

namespace missive::launch {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class TraceFile : public ::testing::Test {
 protected:
  void SetUp() override { file_ = scratch_.path() / "x.trace.gz"; }

  void write(const std::string& text) {
    const gzFile out = ::gzopen(file_.c_str(), "wb");
    ASSERT_EQ(::gzwrite(out, text.data(), static_cast<unsigned>(text.size())),
              static_cast<int>(text.size()));
    ::gzclose(out);
  }
  std::string error() {
    try {
      read_trace(file_);
    } catch (const InputError& e) {
      return e.what();
    }
    return "accepted";
  }
  std::string error_of(const std::string& text) {
    write(text);
    return error();
  }

  measure::ScratchDirectory scratch_;
  fs::path file_;
  const std::string good_ =
      "# app=x page=4096\n"
      "F\t0\t10000\tabcd\t-\t/usr/bin/x\n"
      "F\t1\t10\tabcd\tp=1\t/etc/x\n"
      "O\t5\t0\n"
      "R\t7\t0\t1\t2\n"
      "R\t9\t1\t0\t1\n"
      "S\t100\t12\t3\n"
      "E\t120\tmap 0x1 960x600\n";
};

TEST_F(TraceFile, GivesFilesRunsAndCounts) {
  write(good_);
  const LaunchTrace trace = read_trace(file_);
  EXPECT_THAT(trace.selection.files, ElementsAre("/usr/bin/x", "/etc/x"));
  ASSERT_EQ(trace.selection.runs.size(), 2u);
  EXPECT_EQ(trace.selection.runs[0].path, "/usr/bin/x");
  EXPECT_EQ(trace.selection.runs[0].first_page, 1u);
  EXPECT_EQ(trace.selection.runs[0].pages, 2u);
  EXPECT_EQ(trace.pages_touched, 3u);
  EXPECT_EQ(trace.opens, 1u);
  EXPECT_EQ(trace.lookups_found, 12u);
  EXPECT_EQ(trace.lookups_missing, 3u);
}

TEST_F(TraceFile, TellsLookUpsOfTheStartFromLaterOnes) {
  const auto until_ready = [&](const std::string& header) {
    write("# app=x" + header + " page=4096\n" + good_.substr(good_.find('\n') + 1) +
          "S\t340000\t0\t100\nS\t2000000\t9\t7\n");
    return read_trace(file_).missing_until_ready;
  };
  EXPECT_EQ(until_ready(""), 110u) << "not said when it was ready: all";
  EXPECT_EQ(until_ready(" first_window_us=340000"), 103u);
  EXPECT_EQ(until_ready(" first_output_us=339999 main_window_us=400000"), 103u);
  EXPECT_EQ(until_ready(" first_window_us=300000"), 63u) << "40 ms of the 100 are later";
  EXPECT_EQ(until_ready(" first_window_us=240000"), 3u);
  EXPECT_EQ(until_ready(" first_window_us=100"), 3u);
  EXPECT_THAT(error_of("# app=x first_window_us=soon\n" + good_.substr(good_.find('\n') + 1)),
              HasSubstr("x.trace.gz:1: ready mark is not a number"));
}

TEST_F(TraceFile, RefusesAMissingFile) { EXPECT_THAT(error(), HasSubstr("cannot be opened")); }

TEST_F(TraceFile, RefusesTextThatIsNotCompressed) {
  std::ofstream(file_) << good_;
  EXPECT_THAT(error(), HasSubstr("not gzip"));
}

TEST_F(TraceFile, RefusesAnEmptyFile) {
  std::ofstream(file_).close();
  EXPECT_THAT(error(), HasSubstr("x.trace.gz:1:"));
}

TEST_F(TraceFile, RefusesAFileCutOffAnywhere) {
  write(good_);
  const auto size = fs::file_size(file_);
  for (std::uintmax_t keep = 1; keep < size; ++keep) {
    write(good_);
    fs::resize_file(file_, keep);
    EXPECT_NE(error(), "accepted") << "after " << keep << " of " << size << " bytes";
  }
}

TEST_F(TraceFile, FlippedBitsNeverChangeWhatIsRead) {
  write(good_);
  const auto size = fs::file_size(file_);
  int refused = 0;
  for (std::uintmax_t at = 0; at < size; ++at) {
    write(good_);
    std::fstream file(file_, std::ios::in | std::ios::out | std::ios::binary);
    file.seekg(static_cast<std::streamoff>(at));
    const char byte = static_cast<char>(file.get() ^ 0x10);
    file.seekp(static_cast<std::streamoff>(at));
    file.put(byte);
    file.close();
    // Some bits mean nothing: time and system in gzip's header, padding after the last block.
    try {
      const LaunchTrace trace = read_trace(file_);
      EXPECT_THAT(trace.selection.files, ElementsAre("/usr/bin/x", "/etc/x")) << at;
      EXPECT_EQ(trace.pages_touched, 3u) << at;
    } catch (const InputError&) {
      ++refused;
    }
  }
  EXPECT_GT(refused, static_cast<int>(size) * 3 / 4);
}

TEST_F(TraceFile, NamesTheLineOfEachKindOfNonsense) {
  const std::string head = "# app=x\nF\t0\t10000\tabcd\t-\t/usr/bin/x\n";
  EXPECT_THAT(error_of("F\t0\t1\ta\t-\t/x\n"), HasSubstr(":1: no '# key=value' header"));
  EXPECT_THAT(error_of("# app=x\n"), HasSubstr("no file"));
  EXPECT_THAT(error_of(head + "Q\t1\n"), HasSubstr(":3: unknown line"));
  EXPECT_THAT(error_of(head + "\n"), HasSubstr(":3: empty line"));
  EXPECT_THAT(error_of(head + "O\t1"), HasSubstr(":3: last line has no end"));
  EXPECT_THAT(error_of(head + "O\t1\n"), HasSubstr(":3: fewer than 3 fields"));
  EXPECT_THAT(error_of(head + "O\t1\t0\t0\n"), HasSubstr(":3: too many fields"));
  EXPECT_THAT(error_of(head + "O\t1\t1\n"), HasSubstr(":3: file is not a number below 1"));
  EXPECT_THAT(error_of(head + "O\t-1\t0\n"), HasSubstr(":3: time is not a number"));
  EXPECT_THAT(error_of(head + "R\t1\t0\t3\t1\n"), HasSubstr(":3: page is not a number below 3"));
  EXPECT_THAT(error_of(head + "R\t1\t0\t2\t2\n"), HasSubstr(":3: number of pages"));
  EXPECT_THAT(error_of(head + "R\t1\t0\t0\t0\n"), HasSubstr(":3: run of no page"));
  EXPECT_THAT(error_of(head + "F\t2\t1\ta\t-\t/y\n"), HasSubstr(":3: file is not a number"));
  EXPECT_THAT(error_of(head + "F\t0\t1\ta\t-\t/y\n"), HasSubstr(":3: files are not numbered"));
  for (const char* path : {"y", "/", "/../y", "/a/..", "/a/./b", "/a//b", "/a/"}) {
    EXPECT_THAT(error_of(head + "F\t1\t1\ta\t-\t" + path + "\n"),
                HasSubstr(":3: path is not absolute and normalised"))
        << path;
  }
}

TEST_F(TraceFile, RefusesMoreTextThanATraceCanHave) {
  EXPECT_THAT(error_of("# " + std::string(65u << 20, 'x') + "\n"), HasSubstr("more than 64 MiB"));
}

// Every recorded start parses, and touches something of a file; not only those one can launch.
TEST(ShippedTraces, AreAtLeastTwentyAndEachParses) {
  std::size_t count = 0;
  for (const auto& each : fs::directory_iterator(data_dir() / "traces/launch")) {
    const LaunchTrace trace = read_trace(each.path());
    EXPECT_GT(trace.opens, 50u) << each.path();
    EXPECT_GT(trace.pages_touched, 500u) << each.path();
    ++count;
  }
  EXPECT_GE(count, 24u);
}

TEST(ShippedTraces, AreReadable) {
  for (const Application& each : applications()) {
    const LaunchTrace trace = read_trace(trace_file(each));
    EXPECT_GT(trace.selection.files.size(), 50u) << each.name;
    EXPECT_GT(trace.pages_touched, 500u) << each.name;
  }
}

}  // namespace
}  // namespace missive::launch
