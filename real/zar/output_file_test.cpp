#include "real/zar/output_file.h"

#include <gtest/gtest.h>

#include "models/error.h"
#include "real/zar/test_tree.h"

namespace missive::zar {
namespace {

namespace fs = std::filesystem;

class OutputFileTest : public testing::TestWithParam<OutputFile::Naming> {
 protected:
  fs::path target() const { return dir_.path() / "file"; }
  std::ptrdiff_t files() const {
    return std::distance(fs::directory_iterator(dir_.path()), fs::directory_iterator{});
  }
  static std::span<const std::byte> bytes(std::string_view text) {
    return std::as_bytes(std::span(text));
  }
  TemporaryDirectory dir_;
};

TEST_P(OutputFileTest, AppearsCompleteWhenCommitted) {
  OutputFile file(target(), 0600, GetParam());
  file.write(bytes("one "));
  file.write(bytes("two"));
  EXPECT_FALSE(fs::exists(target()));
  file.commit();
  EXPECT_EQ(as_text(read_file(target())), "one two");
  EXPECT_EQ(fs::status(target()).permissions(), fs::perms{0600});
  EXPECT_EQ(files(), 1);
}

TEST_P(OutputFileTest, LeavesNothingWhenAbandoned) {
  std::ofstream(target()) << "older";
  {
    OutputFile file(target(), 0600, GetParam());
    file.write(bytes("half"));
  }
  EXPECT_EQ(as_text(read_file(target())), "older");
  EXPECT_EQ(files(), 1);
}

TEST_P(OutputFileTest, CommitReplacesAnOlderFile) {
  std::ofstream(target()) << "older";
  OutputFile file(target(), 0600, GetParam());
  file.write(bytes("newer"));
  file.commit();
  EXPECT_EQ(as_text(read_file(target())), "newer");
  EXPECT_EQ(files(), 1);
}

TEST_P(OutputFileTest, CommitNewKeepsAnOlderFile) {
  {
    OutputFile first(target(), 0600, GetParam());
    first.write(bytes("first"));
    EXPECT_TRUE(first.commit_new());
    OutputFile second(target(), 0600, GetParam());
    second.write(bytes("second"));
    EXPECT_FALSE(second.commit_new());
  }
  EXPECT_EQ(as_text(read_file(target())), "first");
  EXPECT_EQ(files(), 1);
}

TEST_P(OutputFileTest, AMissingDirectoryIsAnError) {
  EXPECT_THROW(OutputFile(dir_.path() / "no/file", 0600, GetParam()), RunError);
}

INSTANTIATE_TEST_SUITE_P(BothNamings, OutputFileTest,
                         testing::Values(OutputFile::Naming::late, OutputFile::Naming::early));

}  // namespace
}  // namespace missive::zar
