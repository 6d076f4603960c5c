// Programs mapped from an image: that they cannot tell, what of the image they have, and what is
// refused. guest/static_probe.c says from inside what it finds.

#include <cstring>

#include <elf.h>
#include <gmock/gmock.h>
#include <sys/mman.h>

#include "models/random.h"
#include "real/launch/init_control.h"
#include "real/launch/probe_testing.h"
#include "real/launch/sealed_memory.h"
#include "real/launch/static_program.h"
#include "real/measure/tiny_program.h"

namespace missive::launch {
namespace {

using namespace missive::launch::testing;
using ::testing::HasSubstr;

// Both forms of the probe, and what is none.
class StaticImage {
 public:
  StaticImage() {
    const fs::path tree = directory_.path() / "tree", file = directory_.path() / "image";
    for (const char* each : {"proc", "dev", "tmp", "run", "home", "var/tmp", "bin"})
      fs::create_directories(tree / each);
    for (const char* form : {"exec", "pie"})
      fs::copy_file(fs::path(MISSIVE_STATIC_PROBES) / (std::string("static-probe-") + form),
                    tree / "bin" / form);
    fs::copy_file("/proc/self/exe", tree / "bin/dynamic");
    put(tree / "bin/script", "#!/bin/exec\n" + std::string(8000, '#'));
    put(tree / "bin/small", measure::tiny_program("ready\n"));
    put(tree / "bin/text", std::string(8000, 'x'));
    put(tree / "bin/another", std::string(100, 'x'));
    for (const char* each : {"exec", "pie", "dynamic", "script", "small", "another"})
      fs::permissions(tree / "bin" / each, fs::perms(0755));
    fs::permissions(tree / "bin/text", fs::perms(0644));
    fs::create_symlink("../bin/exec", tree / "bin/link");
    fs::create_symlink("nowhere", tree / "bin/dangling");
    zar::build(tree, {}, {}, file);
    sealed_.emplace(file);
  }
  static const StaticImage& get() {
    static const StaticImage one;
    return one;
  }
  const zar::Image& image() const { return sealed_->image(); }
  const UniqueFd& file() const { return sealed_->file(); }
  const zar::Entry& entry(const std::string& path) const {
    return image().entries()[image().find(path).value()];
  }
  std::vector<std::byte> content(const std::string& path) const {
    const auto bytes = image().content(entry(path));
    return {bytes.begin(), bytes.end()};
  }

 private:
  TemporaryDirectory directory_;
  std::optional<SealedImage> sealed_;
};

Environment command(std::vector<std::string> words) {
  Environment environment = probe_environment({});
  environment.command = std::move(words);
  return environment;
}

// All that the application says until it has ended.
std::string said_by(const std::string& method, const zar::Image& image,
                    const Environment& environment) {
  const auto delivery = launch::delivery(method).make();
  const UniqueFd root = delivery->deliver(image, nullptr);
  Picoprocess process = Picoprocess::create();
  Pipe output;
  process.start(root, environment, output.in.get(), 2, delivery->program(environment));
  output.in.reset();
  return read_all(output.out.get());
}

std::vector<std::string> lines_of(const std::string& text, bool maps) {
  std::vector<std::string> lines;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);)
    if (line.starts_with("map ") == maps) lines.push_back(line);
  return lines;
}

class MmapTest : public ::testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    if (const auto why = mmap_unavailable(); !why.empty())
      GTEST_SKIP() << "delivery mmap is not available here: " << why;
  }
};

// Arguments, environment, auxiliary vector, memory, uid, capabilities, filter, descriptors, signals
// and what is denied.
TEST_P(MmapTest, TheProgramFindsWhatItFindsWhenTheKernelStartsItFromAFile) {
  const zar::Image& image = StaticImage::get().image();
  const std::string path = std::string("/bin/") + GetParam();
  Environment environment = command({path, "one", "", "three words here"});
  environment.variables.emplace_back("EMPTY=");
  const auto from_file = lines_of(said_by("extract", image, environment), false);
  const auto mapped = lines_of(said_by("mmap", image, environment), false);
  EXPECT_EQ(mapped, from_file);
  for (const char* const line :
       {"bss zero", "data 7, thread 77, second", "heap 1", "headers right", "entry right",
        "argument three words here", "descriptor 2", "unshare Operation not permitted"})
    EXPECT_THAT(mapped, ::testing::Contains(line));
  EXPECT_THAT(mapped, ::testing::Contains("file " + path));
  EXPECT_THAT(mapped, ::testing::Contains("Seccomp:\t2"));
  EXPECT_THAT(mapped, ::testing::Contains("CapBnd:\t0000000000000000"));
  EXPECT_THAT(mapped, ::testing::Not(::testing::Contains("descriptor 3")));
  EXPECT_THAT(mapped,
              ::testing::Contains(std::string("name ") + GetParam() + ", dumpable 1, umask 22"));
}

struct MapLine {
  std::uint64_t from = 0, to = 0, offset = 0, inode = 0;
  std::string rights, name;
};

MapLine parse_map(const std::string& line) {
  MapLine map;
  std::istringstream in(line.substr(4));
  std::string device;
  char dash = 0;
  in >> std::hex >> map.from >> dash >> map.to >> map.rights >> map.offset >> device >> std::dec >>
      map.inode;
  std::getline(in >> std::ws, map.name);
  return map;
}

TEST_P(MmapTest, OfTheImageItHasItsOwnPagesAndOfTheLoaderOne) {
  const StaticImage& of = StaticImage::get();
  const zar::Entry& program = of.entry(std::string("/bin/") + GetParam());
  struct stat image {};
  ASSERT_EQ(::fstat(of.file().get(), &image), 0);
  std::uint64_t its_own = 0, loader = 0;
  for (const std::string& line :
       lines_of(said_by("mmap", of.image(), command({std::string("/bin/") + GetParam()})), true)) {
    const MapLine map = parse_map(line);
    EXPECT_FALSE(map.rights[1] == 'w' && map.rights[2] == 'x') << line;
    EXPECT_EQ(map.rights[3], 'p') << line;
    if (map.inode == image.st_ino) {
      EXPECT_GE(map.offset, program.offset) << line;
      EXPECT_LE(map.offset + (map.to - map.from),
                program.offset + (program.size + 4095) / 4096 * 4096)
          << line;
      its_own += map.to - map.from;
    } else if (map.name.find("loader") != std::string::npos) {
      EXPECT_EQ(map.rights, "r-xp");
      loader += map.to - map.from;
    } else {
      EXPECT_EQ(map.inode, 0U) << line;
    }
  }
  EXPECT_GT(its_own, 3U << 20) << "its constants are that long";
  EXPECT_EQ(loader, 4096U);
}

TEST_P(MmapTest, AnImageThatIsNoMemoryFileIsCopiedIntoOne) {
  const auto bytes = StaticImage::get().image().data();
  Mapping copy = Mapping::anonymous(bytes.size(), "image");
  std::ranges::copy(bytes, copy.writable().begin());
  const zar::Image image = zar::Image::open(copy.bytes(), "image");
  EXPECT_THAT(said_by("mmap", image, command({std::string("/bin/") + GetParam()})),
              HasSubstr("bss zero\n"));
}

INSTANTIATE_TEST_SUITE_P(Forms, MmapTest, ::testing::Values("exec", "pie"),
                         [](const auto& tested) { return std::string(tested.param); });

// A static PIE lies elsewhere each time, as after exec.
TEST_F(MmapTest, TheKernelChoosesWhereAPieLies) {
  const StaticImage& of = StaticImage::get();
  std::set<std::string> seen;
  for (int i = 0; i < 3; ++i)
    for (const std::string& line :
         lines_of(said_by("mmap", of.image(), command({"/bin/pie"})), true))
      if (line.find("memfd:image") != std::string::npos) {
        seen.insert(line.substr(4, 12));
        break;
      }
  EXPECT_GT(seen.size(), 1U);
}

TEST_F(MmapTest, ItsRootHasNoFileOfTheImage) {
  const mode_t before = ::umask(077);
  const auto delivery = make_mmap_delivery();
  ::umask(before);
  Delivered delivered;
  const UniqueFd root = delivery->deliver(StaticImage::get().image(), &delivered);
  EXPECT_EQ(delivered.files, 1U);
  EXPECT_EQ(delivered.bytes, 0U);
  struct stat status {};
  ASSERT_EQ(::fstatat(root.get(), "var/tmp", &status, 0), 0);
  EXPECT_EQ(status.st_mode & 07777, 0755U) << "whatever the launcher's umask";
  EXPECT_LT(::openat(root.get(), "bin/exec", O_RDONLY | O_CLOEXEC), 0);
  EXPECT_LT(::mkdirat(root.get(), "new", 0755), 0);
  EXPECT_EQ(errno, EROFS);
}

std::string refusal(const std::vector<std::string>& words) {
  Environment environment = command(words);
  environment.variables = {"PATH=/sbin:/bin"};
  const auto delivery = make_mmap_delivery();
  const UniqueFd root = delivery->deliver(StaticImage::get().image(), nullptr);
  try {
    delivery->program(environment);
  } catch (const InputError& e) {
    return e.what();
  }
  return "accepted";
}

TEST_F(MmapTest, TakesWhatTheCommandLeadsTo) {
  for (const char* name : {"/bin/exec", "exec", "/bin/link", "link", "/bin/../bin/./pie"})
    EXPECT_EQ(refusal({name}), "accepted") << name;
}

TEST_F(MmapTest, SaysInOneLineWhatItDoesNotTakeAndWhatToTakeInstead) {
  const std::string instead = "; take delivery \"extract\", \"fuse\" or \"erofs\"";
  EXPECT_EQ(refusal({"/bin/dynamic"}),
            "delivery mmap: /bin/dynamic: a dynamic program, whose loader and libraries are files" +
                instead);
  EXPECT_EQ(refusal({"/bin/small"}),
            "delivery mmap: /bin/small: it does not start on a page of the image, as files below a "
            "page may not" +
                instead);
  EXPECT_EQ(refusal({"/bin/script"}), "delivery mmap: /bin/script: not an ELF file");
  for (const char* name : {"/bin/text", "/bin"})
    EXPECT_THAT(refusal({name}), HasSubstr("not an executable file")) << name;
  for (const char* name : {"/bin/none", "none", "bin/exec", "/bin/dangling", "/bin/exec/more"})
    EXPECT_THAT(refusal({name}), HasSubstr("the image has no program")) << name;
}

// ---- the program's file under attack ----

using Bytes = std::vector<std::byte>;

std::string plan_or_refusal(const Bytes& file) {
  try {
    plan_static_program(file, 8192, "program");
  } catch (const InputError& e) {
    return e.what();
  }
  return "accepted";
}

// The n-th program header of `type`, changed.
template <typename Change>
std::string with_header(Bytes file, std::uint32_t type, int n, Change change) {
  Elf64_Ehdr header;
  std::memcpy(&header, file.data(), sizeof header);
  for (std::size_t i = 0; i < header.e_phnum; ++i) {
    Elf64_Phdr h;
    std::byte* const at = file.data() + header.e_phoff + i * sizeof h;
    std::memcpy(&h, at, sizeof h);
    if (h.p_type != type || n-- > 0) continue;
    change(h);
    std::memcpy(at, &h, sizeof h);
    return plan_or_refusal(file);
  }
  return "no such header";
}

TEST(StaticProgram, WhatIsAbsurdIsRefused) {
  for (const char* form : {"/bin/exec", "/bin/pie"}) {
    const Bytes good = StaticImage::get().content(form);
    ASSERT_EQ(plan_or_refusal(good), "accepted");
    const auto load = [&](int n, auto change) { return with_header(good, PT_LOAD, n, change); };
    EXPECT_THAT(load(1,
                     [](Elf64_Phdr& h) {
                       h.p_vaddr = 0;
                       h.p_offset = 0;
                     }),
                HasSubstr("overlap"));
    EXPECT_THAT(load(1, [](Elf64_Phdr& h) { h.p_memsz = ~0ull; }), HasSubstr("absurd"));
    EXPECT_THAT(load(1, [](Elf64_Phdr& h) { h.p_vaddr = ~0xfffull; }), HasSubstr("absurd"));
    EXPECT_THAT(load(1, [](Elf64_Phdr& h) { h.p_vaddr = 1ull << 47; }), HasSubstr("absurd"));
    EXPECT_THAT(load(1, [](Elf64_Phdr& h) { h.p_offset = ~0xfffull; }), HasSubstr("truncated"));
    EXPECT_THAT(load(1, [](Elf64_Phdr& h) { h.p_filesz = 1ull << 62; }), HasSubstr("truncated"));
    EXPECT_THAT(load(1, [](Elf64_Phdr& h) { h.p_vaddr += 8; }), HasSubstr("within a page"));
    EXPECT_THAT(load(1, [](Elf64_Phdr& h) { h.p_flags |= PF_W; }), HasSubstr("writable and exec"));
    EXPECT_THAT(load(1, [](Elf64_Phdr& h) { h.p_flags = PF_R; }), HasSubstr("entry point"));
    EXPECT_THAT(load(1, [](Elf64_Phdr& h) { h.p_align = 12345; }), HasSubstr("powers of two"));
    EXPECT_THAT(load(1, [](Elf64_Phdr& h) { h.p_align = 1ull << 40; }), HasSubstr("powers of two"));
    EXPECT_THAT(load(0, [](Elf64_Phdr& h) { h.p_memsz += 1; }), HasSubstr("longer in memory"));
    EXPECT_THAT(load(0, [](Elf64_Phdr& h) { h.p_type = PT_NULL; }), HasSubstr("program headers"));
    EXPECT_THAT(with_header(good, PT_GNU_STACK, 0, [](Elf64_Phdr& h) { h.p_flags |= PF_X; }),
                HasSubstr("executable stack"));
    EXPECT_THAT(with_header(good, PT_GNU_STACK, 0, [](Elf64_Phdr& h) { h.p_type = PT_INTERP; }),
                HasSubstr("dynamic program"));
    EXPECT_THAT(with_header(good, PT_TLS, 0, [](Elf64_Phdr& h) { h.p_vaddr = 1ull << 40; }),
                HasSubstr("thread-local"));
  }
  EXPECT_THAT(with_header(StaticImage::get().content("/bin/exec"), PT_LOAD, 0,
                          [](Elf64_Phdr& h) { h.p_vaddr = 0x8000; }),
              HasSubstr("below what a process may map"));
}

// Headers damaged at random are refused in one line; or the launch of what they describe ends with
// an error or with a process that is confined, whatever it then does.
TEST_F(MmapTest, RandomDamageIsRefusedOrConfined) {
  const StaticImage& of = StaticImage::get();
  Random random(7);
  int refused = 0, started = 0, failed = 0;
  for (int round = 0; round < 3000; ++round) {
    const zar::Entry& entry = of.entry(round % 2 == 0 ? "/bin/exec" : "/bin/pie");
    const auto content = of.image().content(entry);
    Bytes file(content.begin(), content.begin() + 4096);
    const auto flips = 1 + random.below(2);
    for (std::uint64_t i = 0; i < flips; ++i)
      file[random.below(600)] ^= static_cast<std::byte>(1 << random.below(8));
    file.insert(file.end(), content.begin() + 4096, content.end());
    LoadPlan plan;
    try {
      plan = plan_static_program(file, entry.offset, "program");
    } catch (const InputError& e) {
      ++refused;
      EXPECT_EQ(std::string(e.what()).find('\n'), std::string::npos);
      continue;
    }
    if (started + failed >= 100) continue;
    const auto delivery = make_mmap_delivery();
    const UniqueFd root = delivery->deliver(of.image(), nullptr);
    Picoprocess process = Picoprocess::create();
    const UniqueFd nothing(::open("/dev/null", O_WRONLY | O_CLOEXEC));
    const MappedProgram program{plan, UniqueFd(::fcntl(of.file().get(), F_DUPFD_CLOEXEC, 0))};
    try {
      process.start(root, command({"damaged"}), nothing.get(), nothing.get(), &program);
      ++started;
    } catch (const RunError& e) {
      ++failed;
      EXPECT_THAT(e.what(), HasSubstr("mapping the program"));
    }
  }
  EXPECT_GT(refused, 500);
  EXPECT_GT(started, 20);
}

TEST_F(MmapTest, WhereSomethingLiesAlreadyNothingIsReplaced) {
  const StaticImage& of = StaticImage::get();
  const auto delivery = make_mmap_delivery();
  const UniqueFd root = delivery->deliver(of.image(), nullptr);
  const Environment environment = command({"/bin/exec"});
  MappedProgram program{delivery->program(environment)->plan,
                        UniqueFd(::fcntl(of.file().get(), F_DUPFD_CLOEXEC, 0))};
  program.plan.part[program.plan.parts++] = program.plan.part[0];
  Picoprocess process = Picoprocess::create();
  try {
    process.start(root, environment, 2, 2, &program);
    ADD_FAILURE() << "started";
  } catch (const RunError& e) {
    EXPECT_STREQ(e.what(), "cannot start the application: mapping the program: File exists");
  }
}

TEST_F(MmapTest, APlanThatIsNoneEndsTheLoader) {
  const StaticImage& of = StaticImage::get();
  const auto delivery = make_mmap_delivery();
  const UniqueFd root = delivery->deliver(of.image(), nullptr);
  MappedProgram program{{}, UniqueFd(::fcntl(of.file().get(), F_DUPFD_CLOEXEC, 0))};
  program.plan.parts = kMaxParts + 1;
  Picoprocess process = Picoprocess::create();
  try {
    process.start(root, command({"/bin/exec"}), 2, 2, &program);
    ADD_FAILURE() << "started";
  } catch (const RunError& e) {
    EXPECT_STREQ(e.what(), "cannot start the application: mapping the program: Bad message");
  }
}

TEST_F(MmapTest, TheLoaderCannotBeChanged) {
  constexpr int kAll = F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL;
  EXPECT_EQ(::fcntl(loader_program().get(), F_GET_SEALS) & kAll, kAll);
}

}  // namespace
}  // namespace missive::launch
