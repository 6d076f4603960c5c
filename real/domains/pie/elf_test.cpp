#include "real/domains/pie/elf.h"

#include <cstring>
#include <fstream>
#include <iterator>

#include <elf.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "models/error.h"
#include "models/random.h"
#include "real/domains/pie/pie.h"

namespace missive::domains::pie {
namespace {

using Bytes = std::vector<std::byte>;
using testing::HasSubstr;

Elf64_Ehdr header_of(const Bytes& file) {
  Elf64_Ehdr h;
  std::memcpy(&h, file.data(), sizeof h);
  return h;
}
void set_header(Bytes& file, const Elf64_Ehdr& h) { std::memcpy(file.data(), &h, sizeof h); }

// The index of the n-th program header of `type`, changed by `change`.
template <typename Change>
void change_segment(Bytes& file, std::uint32_t type, int n, Change change) {
  const Elf64_Ehdr h = header_of(file);
  for (int i = 0; i < h.e_phnum; ++i) {
    Elf64_Phdr p;
    std::byte* at = file.data() + h.e_phoff + static_cast<std::size_t>(i) * sizeof p;
    std::memcpy(&p, at, sizeof p);
    if (p.p_type != type || n-- > 0) continue;
    change(p);
    std::memcpy(at, &p, sizeof p);
    return;
  }
  FAIL() << "no such program header";
}

std::string refusal(const Bytes& file) {
  try {
    read_elf(file, "guest.elf");
  } catch (const InputError& e) {
    return e.what();
  }
  return "accepted";
}

class Elf : public testing::Test {
 protected:
  void SetUp() override {
    const auto image = built_in_image();
    if (image.empty()) GTEST_SKIP() << "built without musl: no static PIE to damage";
    good_.assign(image.begin(), image.end());
  }
  Bytes good_;
};

TEST_F(Elf, TheServiceIsACleanStaticPie) {
  const Program program = read_elf(good_, "guest.elf");
  ASSERT_EQ(program.segments.size(), 2U);
  EXPECT_TRUE(program.segments[0].execute);
  EXPECT_FALSE(program.segments[0].write);
  EXPECT_TRUE(program.segments[1].write);
  EXPECT_EQ(program.segments[1].memory % kPage, program.segments[1].memory)
      << "all that is writable fits into one page";
}

TEST_F(Elf, RefusesWhatIsNotElf) {
  EXPECT_EQ(refusal({}), "guest.elf: not an ELF file");
  EXPECT_EQ(refusal(Bytes(100, std::byte{'x'})), "guest.elf: not an ELF file");
  EXPECT_THAT(refusal(Bytes(good_.begin(), good_.begin() + 20)), HasSubstr("truncated"));
}

TEST_F(Elf, RefusesEveryTruncation) {
  const Program program = read_elf(good_, "guest.elf");
  const auto end = program.segments.back().offset + program.segments.back().file;
  for (std::size_t size = 0; size < end; size += size < 1000 ? 1 : 97)
    EXPECT_NE(refusal(Bytes(good_.begin(), good_.begin() + static_cast<std::ptrdiff_t>(size))),
              "accepted")
        << size;
}

TEST_F(Elf, RefusesAnotherMachine) {
  for (const auto machine : {EM_AARCH64, EM_386}) {
    Bytes file = good_;
    Elf64_Ehdr h = header_of(file);
    h.e_machine = machine;
    set_header(file, h);
    EXPECT_THAT(refusal(file), HasSubstr("another machine"));
  }
  Bytes file = good_;
  file[EI_CLASS] = std::byte{ELFCLASS32};
  EXPECT_THAT(refusal(file), HasSubstr("another machine"));
}

TEST_F(Elf, RefusesAProgramAtAFixedAddress) {
  Bytes file = good_;
  Elf64_Ehdr h = header_of(file);
  h.e_type = ET_EXEC;
  set_header(file, h);
  EXPECT_THAT(refusal(file), HasSubstr("link it with -static-pie"));
  h.e_type = ET_REL;
  set_header(file, h);
  EXPECT_THAT(refusal(file), HasSubstr("not an executable"));
}

TEST_F(Elf, RefusesADynamicPie) {
  Bytes file = good_;
  change_segment(file, PT_GNU_STACK, 0, [](Elf64_Phdr& p) { p.p_type = PT_INTERP; });
  EXPECT_THAT(refusal(file), HasSubstr("dynamic loader"));
}

// What distributions install, read from disk: this test program itself is such a one.
TEST_F(Elf, RefusesThisVeryProgramUnlessItIsStatic) {
  std::ifstream in("/proc/self/exe", std::ios::binary);
  const std::vector<char> text{std::istreambuf_iterator<char>(in), {}};
  Bytes file(text.size());
  std::memcpy(file.data(), text.data(), text.size());
  EXPECT_THAT(refusal(file), HasSubstr("-static-pie"));
}

TEST_F(Elf, RefusesSegmentsThatOverlapOrAreAbsurd) {
  const auto with = [this](int n, auto change) {
    Bytes file = good_;
    change_segment(file, PT_LOAD, n, change);
    return refusal(file);
  };
  EXPECT_THAT(with(1, [](Elf64_Phdr& p) { p.p_vaddr = 0; }), HasSubstr("overlap"));
  EXPECT_THAT(with(1, [](Elf64_Phdr& p) { p.p_memsz = 1ull << 40; }), HasSubstr("absurd"));
  EXPECT_THAT(with(1, [](Elf64_Phdr& p) { p.p_memsz = ~0ull; }), HasSubstr("absurd"));
  EXPECT_THAT(with(1, [](Elf64_Phdr& p) { p.p_vaddr = ~0xfffull; }), HasSubstr("absurd"));
  EXPECT_THAT(with(1, [](Elf64_Phdr& p) { p.p_memsz = p.p_filesz - 1; }), HasSubstr("absurd"));
  EXPECT_THAT(with(1, [](Elf64_Phdr& p) { p.p_filesz = 1ull << 62; }), HasSubstr("truncated"));
  EXPECT_THAT(with(1, [](Elf64_Phdr& p) { p.p_offset = ~0xfffull; }), HasSubstr("truncated"));
  EXPECT_THAT(with(1, [](Elf64_Phdr& p) { p.p_vaddr += 8; }), HasSubstr("within a page"));
  EXPECT_THAT(with(1, [](Elf64_Phdr& p) { p.p_flags |= PF_X; }), HasSubstr("writable and exec"));
  EXPECT_THAT(with(0, [](Elf64_Phdr& p) { p.p_memsz += 1; }), HasSubstr("longer in memory"));
  EXPECT_THAT(with(0, [](Elf64_Phdr& p) { p.p_type = PT_NULL; }), HasSubstr("address 0"));
  EXPECT_THAT(with(0, [](Elf64_Phdr& p) { p.p_flags = PF_R; }), HasSubstr("entry point"));
}

TEST_F(Elf, RefusesAnEntryPointOutsideTheCode) {
  for (const unsigned long long entry : {1ull << 20, 0x10000000ull, ~0ull}) {
    Bytes file = good_;
    Elf64_Ehdr h = header_of(file);
    h.e_entry = entry;
    set_header(file, h);
    EXPECT_THAT(refusal(file), HasSubstr("entry point")) << entry;
  }
}

TEST_F(Elf, RefusesThreadLocalDataOutsideTheImage) {
  Bytes file = good_;
  change_segment(file, PT_TLS, 0, [](Elf64_Phdr& p) { p.p_vaddr = 1ull << 40; });
  EXPECT_THAT(refusal(file), HasSubstr("thread-local"));
}

// Headers damaged at random are either refused in one line, or describe something that can be
// mapped: taking a copy (which does not run it) must work, too.
TEST_F(Elf, RandomDamageIsRefusedOrLoads) {
  Random random(2024);
  int refused = 0;
  for (int round = 0; round < 3000; ++round) {
    Bytes file = good_;
    const auto flips = 1 + random.below(4);
    for (std::uint64_t i = 0; i < flips; ++i)
      file[random.below(512)] ^= static_cast<std::byte>(1 << random.below(8));
    if (random.below(4) == 0) file.resize(random.below(file.size()));
    try {
      Pool pool(file, "guest.elf");
      const Slot slot = pool.take();
      pool.give_back(slot);
    } catch (const InputError& e) {
      ++refused;
      EXPECT_EQ(std::string(e.what()).find('\n'), std::string::npos);
    } catch (const RunError&) {
      ++refused;  // a size the host cannot give
    }
  }
  EXPECT_GT(refused, 500);
}

}  // namespace
}  // namespace missive::domains::pie
