// Unmodified programs of the distribution in this process.

#include "real/domains/pie/dynamic.h"

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <thread>

#include <elf.h>
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "models/error.h"
#include "models/isolation.h"
#include "real/domains/pie/gate.h"
#include "real/domains/resources_testing.h"
#include "real/measure/scratch.h"
#include "real/process.h"

namespace missive::domains::pie {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;
using testing_resources::count_fds;
using testing_resources::count_maps;
using testing_resources::map_limit;
using testing_resources::use_up_maps;

class Programs : public testing::Test {
 protected:
  void SetUp() override {
    if (const auto why = gate_unavailable(); !why.empty()) GTEST_SKIP() << why;
  }
  static ProgramResult run(const std::string& path, std::vector<std::string> arguments,
                           const std::string& input = "") {
    ProgramOptions options;
    options.arguments = std::move(arguments);
    options.input = input;
    return run_program(path, options);
  }
  static ProgramResult shell(const std::string& script) { return run("/bin/dash", {"-c", script}); }

  measure::ScratchDirectory scratch_{measure::scratch_parent()};
};

TEST_F(Programs, LsListsADirectory) {
  for (const char* name : {"one", "two", "three"}) std::ofstream(scratch_.path() / name) << name;
  const ProgramResult r = run("/bin/ls", {scratch_.path().string()});
  EXPECT_EQ(r.status, 0) << r.err;
  EXPECT_EQ(r.out, "one\nthree\ntwo\n");
  const ProgramResult missing = run("/bin/ls", {(scratch_.path() / "none").string()});
  EXPECT_EQ(missing.status, 2);
  EXPECT_THAT(missing.err, HasSubstr("No such file or directory"));
}

TEST_F(Programs, Sha256sumReadsItsInput) {
  const ProgramResult r = run("/usr/bin/sha256sum", {}, "abc");  // FIPS 180-2, appendix B.1
  EXPECT_EQ(r.out, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad  -\n")
      << r.err;
}

TEST_F(Programs, GzipUnpacksWhatItPacked) {
  std::string text;
  for (int i = 0; i < 20'000; ++i) text += "line " + std::to_string(i) + "\n";
  const ProgramResult packed = run("/bin/gzip", {"-c"}, text);
  ASSERT_EQ(packed.status, 0) << packed.err;
  EXPECT_LT(packed.out.size(), text.size() / 3);
  EXPECT_EQ(run("/bin/gzip", {"-dc"}, packed.out).out, text);
  EXPECT_EQ(run("/bin/gzip", {"-dc"}, "no archive").status, 1);
}

TEST_F(Programs, SortSortsMoreThanItsHeapHolds) {
  std::vector<std::string> lines;
  for (int i = 0; i < 50'000; ++i) lines.push_back(std::to_string((i * 7919) % 100'003));
  std::string text;
  for (const auto& line : lines) text += line + "\n";
  std::sort(lines.begin(), lines.end());
  std::string sorted;
  for (const auto& line : lines) sorted += line + "\n";
  EXPECT_EQ(run("/usr/bin/sort", {"-S", "1M"}, text).out, sorted);
}

TEST_F(Programs, AShellHasItsOwnDescriptors) {
  const std::string file = (scratch_.path() / "file").string();
  const ProgramResult r = shell("echo into >" + file + "; read x <" + file +
                                "; echo got $x; echo wrong >&2; exec >&-; exit $((1 + 2))");
  EXPECT_EQ(r.status, 3);
  EXPECT_EQ(r.out, "got into\n");
  EXPECT_EQ(r.err, "wrong\n");
  EXPECT_NE(::fcntl(1, F_GETFD), -1) << "the host's standard output is not the program's";
}

TEST_F(Programs, AnAbortEndsTheProgramOnly) {
  const ProgramResult r = shell("kill -ABRT $$; echo not reached");
  EXPECT_EQ(r.signal, 6);
  EXPECT_EQ(r.status, 134);
  EXPECT_EQ(r.out, "");
}

TEST_F(Programs, ThereIsNoOtherProcessToBeHadOrHarmed) {
  const ProgramResult r = shell("/bin/true");
  EXPECT_EQ(r.status, 2);
  EXPECT_THAT(r.err, HasSubstr("Cannot fork"));
  EXPECT_NE(shell("kill -KILL " + std::to_string(::getppid())).status, 0);
}

TEST_F(Programs, OutputIsBounded) {
  ProgramOptions options;
  options.most_output = 100'000;
  const ProgramResult r = run_program("/usr/bin/yes", options);
  EXPECT_EQ(r.status, 1);
  EXPECT_THAT(r.err, HasSubstr("File too large"));
  EXPECT_GE(r.out.size(), 100'000U);
  EXPECT_LE(r.out.size(), 200'000U) << "the write that crosses the bound is the last";
  EXPECT_EQ(r.out.substr(0, 4), "y\ny\n");
}

TEST_F(Programs, ACrashEndsTheProgramOnly) {
  // More nesting than the stack has room for.
  const std::string script = "echo begun\necho $((" + std::string(400'000, '(') + "1\n";
  const ProgramResult r = run("/bin/dash", {}, script + std::string(400'000, ')') + "))\n");
  EXPECT_EQ(r.signal, 11);
  EXPECT_EQ(r.status, 139);
  EXPECT_EQ(r.out, "begun\n");
}

TEST_F(Programs, AProgramThatNeverEndsIsEnded) {
  ProgramOptions options;
  options.deadline = std::chrono::milliseconds(60);
  options.arguments = {"-c", "echo begun; while :; do :; done"};
  const ProgramResult loop = run_program("/bin/dash", options);
  EXPECT_TRUE(loop.late);
  EXPECT_EQ(loop.out, "begun\n");
  options.arguments = {"100"};
  EXPECT_TRUE(run_program("/bin/sleep", options).late);
  EXPECT_FALSE(run_program("/bin/true", options).late);
  // open(2) of a pipe without a writer: the kernel begins such a call again after a signal.
  const std::string pipe = (scratch_.path() / "pipe").string();
  ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
  options.arguments = {pipe};
  EXPECT_TRUE(run_program("/bin/cat", options).late);
}

TEST_F(Programs, LeaveNothingBehind) {
  const auto once = [] { return run("/bin/ls", {"-l", "/"}).out.size(); };
  EXPECT_GT(once(), 0U);
  const std::size_t maps = count_maps(), fds = count_fds();
  const fs::path here = fs::current_path();
  for (int i = 0; i < 20; ++i) once();
  EXPECT_EQ(count_fds(), fds);
  EXPECT_LE(count_maps(), maps + 2) << "the test's own heap may have grown";
  EXPECT_EQ(count_maps("missive-pie"), 0U);
  EXPECT_EQ(fs::current_path(), here);
}

TEST_F(Programs, RunSideBySide) {
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([t] {
      for (int i = 0; i < 10; ++i)
        EXPECT_EQ(shell("echo " + std::to_string(t * i)).out, std::to_string(t * i) + "\n");
    });
  for (std::thread& t : threads) t.join();
}

// ---- what cannot be run ----

std::vector<char> read(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

class BadPrograms : public Programs {
 protected:
  std::string write(const std::vector<char>& bytes) {
    const std::string path = (scratch_.path() / "program").string();
    std::ofstream(path, std::ios::binary).write(bytes.data(), static_cast<long>(bytes.size()));
    return path;
  }
  // One line of refusal, or what the program came to.
  std::string refusal(const std::string& path) {
    try {
      return "accepted, status " + std::to_string(run(path, {}).status);
    } catch (const InputError& e) {
      EXPECT_EQ(std::string(e.what()).find('\n'), std::string::npos);
      EXPECT_EQ(std::string(e.what()).rfind(path, 0), 0U) << e.what();
      return e.what();
    }
  }
  static void replace(std::vector<char>& bytes, const std::string& from, const std::string& to) {
    const auto at = std::search(bytes.begin(), bytes.end(), from.begin(), from.end());
    ASSERT_NE(at, bytes.end());
    ASSERT_EQ(from.size(), to.size());
    std::copy(to.begin(), to.end(), at);
  }
};

TEST_F(BadPrograms, MissingOrNoFile) {
  EXPECT_THAT(refusal((scratch_.path() / "none").string()), HasSubstr("No such file"));
  EXPECT_THAT(refusal(scratch_.path().string()), HasSubstr("not a regular file"));
}

TEST_F(BadPrograms, NoElfOrAnotherMachine) {
  const std::string script = "#!/bin/sh\necho hello\n";
  EXPECT_THAT(refusal(write({script.begin(), script.end()})), HasSubstr("not an ELF file"));
  std::vector<char> arm = read("/bin/true");
  arm[offsetof(Elf64_Ehdr, e_machine)] = static_cast<char>(EM_AARCH64);
  EXPECT_THAT(refusal(write(arm)), HasSubstr("another machine"));
}

TEST_F(BadPrograms, Truncated) {
  const std::vector<char> whole = read("/bin/true");
  for (std::size_t size = 0; size < whole.size() - 4096; size += size < 1000 ? 61 : 2999) {
    const auto part = refusal(write({whole.begin(), whole.begin() + static_cast<long>(size)}));
    EXPECT_THAT(part, testing::AnyOf(HasSubstr("truncated"), HasSubstr("not an ELF file"))) << size;
  }
}

TEST_F(BadPrograms, AtAFixedAddress) {
  std::vector<char> fixed = read("/bin/true");
  fixed[offsetof(Elf64_Ehdr, e_type)] = ET_EXEC;
  EXPECT_THAT(refusal(write(fixed)), HasSubstr("fixed address (ET_EXEC)"));
  EXPECT_THAT(refusal(write(fixed)), HasSubstr("link it with -pie"));
}

TEST_F(BadPrograms, ALibraryAsksForNoLoader) {
  std::vector<char> library = read("/bin/true");
  Elf64_Ehdr header;
  std::memcpy(&header, library.data(), sizeof header);
  for (std::size_t i = 0; i < header.e_phnum; ++i) {
    char* at = library.data() + header.e_phoff + i * sizeof(Elf64_Phdr);
    Elf64_Phdr h;
    std::memcpy(&h, at, sizeof h);
    if (h.p_type == PT_INTERP) h.p_type = PT_NULL;
    std::memcpy(at, &h, sizeof h);
  }
  EXPECT_THAT(refusal(write(library)), HasSubstr("asks for no dynamic loader"));
}

TEST_F(BadPrograms, ALoaderThatIsNotThereOrIsNone) {
  std::vector<char> program = read("/bin/true");
  replace(program, "/lib64/ld-linux-x86-64.so.2", "/lib64/ld-windows-x86-64.so");
  EXPECT_THAT(refusal(write(program)),
              HasSubstr("its dynamic loader /lib64/ld-windows-x86-64.so: cannot be read: No such"));
  program = read("/bin/true");
  replace(program, std::string("/lib64/ld-linux-x86-64.so.2"),
          std::string("/etc/passwd") + std::string(16, '\0'));
  EXPECT_THAT(refusal(write(program)), HasSubstr("is no text"));
}

TEST_F(BadPrograms, ALibraryThatIsNotThereIsTheLoadersWord) {
  std::vector<char> program = read("/bin/true");
  replace(program, "libc.so.6", "libx.so.6");
  const ProgramResult r = run(write(program), {});
  EXPECT_EQ(r.status, 127);
  EXPECT_THAT(r.err, HasSubstr("libx.so.6: cannot open shared object file"));
}

TEST_F(BadPrograms, AProgramThatOffersNoServiceIsNoDomain) {
  try {
    start_program("/bin/false", {});
    FAIL();
  } catch (const RunError& e) {
    EXPECT_THAT(e.what(), HasSubstr("/bin/false: the program ended by exit status 1 before"));
  }
}

// ---- the service ----

class PieDynamic : public Programs {
 protected:
  void SetUp() override {
    if (const auto why = mechanism("pie-dynamic").unavailable(); !why.empty()) GTEST_SKIP() << why;
  }
};

TEST_F(PieDynamic, DomainsGiveEverythingBack) {
  std::vector<std::unique_ptr<Domain>> domains;
  domains.reserve(100);
  std::vector<std::byte> reply(8);
  mechanism("pie-dynamic").create({})->call(Entry::null, {}, {});
  const std::size_t maps = count_maps(), fds = count_fds();
  for (int i = 0; i < 100; ++i) {
    domains.push_back(mechanism("pie-dynamic").create({}));
    ASSERT_EQ(domains.back()->call(Entry::sum, {}, reply), 8U);
  }
  // How many exactly depends on the C library; the model must not be far off.
  EXPECT_NEAR(static_cast<double>(count_maps() - maps) / 100, domain_footprint("pie-dynamic")->maps,
              5);
  EXPECT_LE(count_fds(), fds + 1) << "the loader's file, one for all";
  domains.clear();
  EXPECT_EQ(count_fds(), fds);
  EXPECT_LE(count_maps(), maps + 4) << "the test's own heap may have grown";
}

TEST_F(PieDynamic, TheMapLimitIsNamed) {
  const std::size_t limit = map_limit();
  if (limit > 300'000) GTEST_SKIP() << "vm.max_map_count is " << limit << ": too many to use up";
  const std::string told = run_in_child(
      [] {
        use_up_maps(400);
        std::vector<std::unique_ptr<Domain>> domains;
        domains.reserve(1000);
        try {
          while (domains.size() < 1000) domains.push_back(mechanism("pie-dynamic").create({}));
        } catch (const RunError& e) {
          std::vector<std::byte> reply(8);
          for (auto& domain : domains) domain->call(Entry::sum, {}, reply);
          return std::string(e.what());
        }
        return std::string("no limit met");
      },
      std::chrono::seconds(60), "pie test");
  EXPECT_THAT(told, HasSubstr("vm.max_map_count allows " + std::to_string(limit)));
}

}  // namespace
}  // namespace missive::domains::pie
