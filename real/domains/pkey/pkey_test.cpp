// Protection keys: the mechanism itself runs as the first process of an emulated machine whose CPU
// has them (guest/main.cpp has the checks); what needs none is tested here.

#include <fstream>
#include <map>
#include <sstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "real/domains/attack_matrix.h"
#include "real/domains/domain.h"
#include "real/domains/microvm/initramfs.h"
#include "real/domains/microvm/kernel.h"
#include "real/domains/microvm/machine.h"
#include "real/domains/pie/pie.h"
#include "real/domains/pkey/keys.h"
#include "real/domains/pkey/scan.h"

namespace missive::domains::pkey {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using Bytes = std::vector<std::byte>;
using std::chrono::seconds;

#ifdef MISSIVE_PKEY_GUEST

Bytes guest_program() {
  std::ifstream in(MISSIVE_PKEY_GUEST, std::ios::binary);
  const std::string text{std::istreambuf_iterator<char>(in), {}};
  Bytes bytes(text.size());
  std::transform(text.begin(), text.end(), bytes.begin(),
                 [](char c) { return static_cast<std::byte>(c); });
  return bytes;
}

// What the guest wrote until "done", or why there is none.
std::string run_guest() {
  microvm::Boot boot;
  boot.who = "pkey";
  boot.kernel = microvm::kernel_file();
  boot.initramfs = microvm::initramfs(guest_program());
  boot.cpu = "max";
  microvm::Machine machine(boot);
  const auto end = std::chrono::steady_clock::now() + seconds(120);
  while (machine.received().find("done") == std::string::npos) {
    const auto wake = machine.await(end);
    if (wake == microvm::Machine::Wake::rang) continue;
    return machine.received() + "FAILED to end: " +
           (wake == microvm::Machine::Wake::late ? "no answer in time; " : "the machine ended; ") +
           machine.said();
  }
  return machine.received();
}

TEST(PkeyUnderEmulation, HoldsWhatTheMechanismPromises) {
  if (mechanism("qemu-microvm").unavailable().find("not installed") != std::string::npos)
    GTEST_SKIP() << "qemu-system-x86_64 is not installed";
  try {
    microvm::ensure_kernel();
  } catch (const NotAvailable& e) {
    GTEST_SKIP() << e.what();
  }
  std::istringstream lines(run_guest());
  int passed = 0;
  bool done = false;
  for (std::string line; std::getline(lines, line);) {
    if (line.rfind("FAILED", 0) == 0) ADD_FAILURE() << line;
    passed += line.find("ok ") != std::string::npos;
    done = done || line.find("done") != std::string::npos;
  }
  EXPECT_TRUE(done);
  EXPECT_EQ(passed, 17) << lines.str();
}

#endif

TEST(Pkey, SaysWhyItIsNotHere) {
  const std::string why = mechanism("pkey").unavailable();
  if (why.empty()) GTEST_SKIP() << "this CPU has protection keys";
  EXPECT_THAT(why, testing::AnyOf(HasSubstr("pkey_alloc"), HasSubstr("musl"), HasSubstr("Linux")));
  EXPECT_THROW(mechanism("pkey").create({}), NotAvailable);
}

// Whatever a CPU allows, rights are what the manual says of PKRU.
TEST(Pkey, RightsAreTwoBitsAKey) {
  EXPECT_TRUE(denies_host(kNothing));
  EXPECT_FALSE(denies_host(kEverything));
  EXPECT_FALSE(denies_host(0x55555554));  // as a signal handler is entered
  EXPECT_EQ(allow(kNothing, 1), 0xfffffff3U);
  EXPECT_EQ(allow(kNothing, 15), 0x3fffffffU);
  EXPECT_EQ(read_only(kNothing, 2), 0xffffffefU);
}

TEST(Pkey, RightsInASignalsFrameAreThoseOfComponentNine) {
  alignas(64) std::array<std::byte, 4096> area{};
  EXPECT_EQ(rights_in_frame(area.data()), 0U) << "not saved: the initial value";
  set_rights_in_frame(area.data(), 0x55555554);
  EXPECT_EQ(area[513], std::byte{2}) << "bit 9 of the parts that are there";
  EXPECT_EQ(rights_in_frame(area.data()), 0x55555554U);
}

// ---- the scan ----

// The built-in program with some bytes of its code replaced.
Bytes with(std::initializer_list<unsigned> code) {
  const auto image = pie::built_in_image();
  Bytes bytes(image.begin(), image.end());
  const pie::Program program = pie::read_elf(image, "test");
  std::size_t at = 0;
  for (const pie::Segment& s : program.segments)
    if (s.execute) at = s.offset + s.file - 64;
  for (const unsigned b : code) bytes[at++] = static_cast<std::byte>(b);
  return bytes;
}

std::string refused(std::initializer_list<unsigned> code) {
  try {
    refuse_escapes(with(code), "pkey");
  } catch (const InputError& e) {
    return e.what();
  }
  return {};
}

TEST(PkeyScan, RefusesInstructionsThatWouldOpenTheHostsMemory) {
  if (pie::built_in_image().empty()) GTEST_SKIP() << "built without musl";
  EXPECT_THAT(refused({0x0f, 0x01, 0xef}), AllOf(HasSubstr("pkey:"), HasSubstr("WRPKRU")));
  EXPECT_THAT(refused({0x90, 0x48, 0x0f, 0xae, 0x2f}), HasSubstr("XRSTOR"));
  EXPECT_THAT(refused({0xf3, 0x48, 0x0f, 0xae, 0xd8}), HasSubstr("WRGSBASE"));
  EXPECT_THAT(refused({0x0f, 0xc7, 0x1f}), HasSubstr("XRSTORS"));
  // Inside another instruction: mov $0xef010f, %eax.
  EXPECT_THAT(refused({0xb8, 0x0f, 0x01, 0xef, 0x00}), HasSubstr("WRPKRU"));
}

TEST(PkeyScan, LetsOtherInstructionsPass) {
  if (pie::built_in_image().empty()) GTEST_SKIP() << "built without musl";
  refuse_escapes(pie::built_in_image(), "pkey");
  EXPECT_EQ(refused({0x0f, 0xae, 0xe8}), "") << "LFENCE";
  EXPECT_EQ(refused({0x0f, 0x01, 0xee}), "") << "RDPKRU";
  EXPECT_EQ(refused({0x0f, 0xae, 0xc0}), "") << "RDFSBASE";
}

}  // namespace
}  // namespace missive::domains::pkey
