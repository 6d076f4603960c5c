// The virtual machine with a kernel of its own: what is particular to it, and its faults. Booting
// takes seconds where software emulation has to do it, so tests share machines where they can.

#include "real/domains/microvm/microvm.h"

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "real/domains/attack_victim.h"
#include "real/domains/attacks.h"
#include "real/domains/microvm/initramfs.h"
#include "real/domains/microvm/kernel.h"
#include "real/domains/resources_testing.h"
#include "real/measure/scratch.h"
#include "real/process.h"

namespace missive::domains::microvm {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing_resources::count_fds;
using Bytes = std::vector<std::byte>;
using std::chrono::milliseconds;

const Mechanism& ours() { return mechanism("qemu-microvm"); }

// What an exception says; "" when there is none.
template <typename Exception, typename Work>
std::string error_of(const Work& work) {
  try {
    work();
  } catch (const Exception& e) {
    return e.what();
  }
  return {};
}

class Variable {
 public:
  Variable(const char* name, const std::string& value) : name_(name) {
    if (const char* before = std::getenv(name)) before_ = before;
    ::setenv(name, value.c_str(), 1);
  }
  Variable(const Variable&) = delete;
  Variable& operator=(const Variable&) = delete;
  ~Variable() {
    if (before_)
      ::setenv(name_, before_->c_str(), 1);
    else
      ::unsetenv(name_);
  }

 private:
  const char* name_;
  std::optional<std::string> before_;
};

class Microvm : public testing::Test {
 protected:
  void SetUp() override {
    try {
      ours().prepare();
    } catch (const NotAvailable& e) {
      GTEST_SKIP() << e.what();
    }
    if (const auto why = ours().unavailable(); !why.empty()) GTEST_SKIP() << why;
  }
  static std::string attack(Domain& domain, Attack attack) {
    Bytes reply(64);
    return error_of<DomainFault>([&] { domain.call(entry_of(attack), Bytes(16), reply); });
  }
};

// One machine through calls, an attack that it survives, and one that ends its service.
TEST_F(Microvm, AGuestThatCrashesEndsItsMachineAndLeavesNothing) {
  const auto fds = count_fds();
  {
    const auto domain = ours().create({});
    EXPECT_EQ(descendants(::getpid()).size(), 1U);
    Bytes reply(64);
    Bytes path(64);
    std::memcpy(path.data(), "/etc/passwd", 12);
    EXPECT_EQ(domain->call(entry_of(Attack::open_host_file), path, reply), 0U);
    EXPECT_EQ(domain->call(Entry::sum, Bytes(100, std::byte{1}), reply), 8U);
    EXPECT_EQ(reply[0], std::byte{100});
    EXPECT_THAT(attack(*domain, Attack::crash),
                AllOf(HasSubstr("the service ended in its machine"), HasSubstr("llegal")));
    EXPECT_EQ(descendants(::getpid()).size(), 0U);
    EXPECT_THROW(domain->call(Entry::null, {}, {}), DomainFault) << "a fault is final";
  }
  EXPECT_EQ(count_fds(), fds);
}

TEST_F(Microvm, TheMemoryOfOneGuestIsBoundedAndItsDeadlineKept) {
  DomainOptions options;
  options.deadline = milliseconds(20'000);
  const auto domain = ours().create(options);
  Bytes bound(8), reply(64);
  const std::uint64_t gigabyte = 1 << 30;
  std::memcpy(bound.data(), &gigabyte, 8);
  ASSERT_EQ(domain->call(entry_of(Attack::memory_hog), bound, reply), 8U);
  std::uint64_t got = 0;
  std::memcpy(&got, reply.data(), 8);
  EXPECT_LT(got, 64U << 20);
  EXPECT_EQ(domain->call(Entry::null, {}, {}), 0U) << "the machine lives on";
}

TEST_F(Microvm, ABootThatNeverAnswersHasADeadline) {
  const std::string late = error_of<RunError>(
      [] { start(Accelerator::emulation, kernel_file(), service_init(), {}, milliseconds(50)); });
  EXPECT_THAT(late, AllOf(HasSubstr("qemu-microvm: no answer within"), HasSubstr("killed")));
  EXPECT_EQ(descendants(::getpid()).size(), 0U);
}

TEST_F(Microvm, AGuestWithoutAServiceIsAKernelPanicInOneLine) {
  const Bytes nothing(4096);
  const std::string told = error_of<RunError>(
      [&] { start(Accelerator::emulation, kernel_file(), nothing, {}, milliseconds(60'000)); });
  EXPECT_THAT(told, AllOf(HasSubstr("the machine ended"), HasSubstr("Kernel panic")));
  EXPECT_EQ(told.find('\n'), std::string::npos);
}

TEST_F(Microvm, ADamagedKernelIsSaidInOneLine) {
  const measure::ScratchDirectory directory(measure::scratch_parent());
  std::ofstream(directory.path() / "vmlinuz") << std::string(20'000, 'x');
  const std::string told = error_of<RunError>([&] {
    start(Accelerator::emulation, directory.path() / "vmlinuz", service_init(), {},
          milliseconds(20'000));
  });
  EXPECT_THAT(told, HasSubstr("qemu-microvm: the machine ended; it said:"));
  EXPECT_EQ(told.find('\n'), std::string::npos);
  const std::string missing = error_of<RunError>([&] {
    start(Accelerator::emulation, directory.path() / "none", service_init(), {},
          milliseconds(20'000));
  });
  EXPECT_THAT(missing, AllOf(HasSubstr("none"), HasSubstr("could not")));
}

TEST_F(Microvm, AnInterruptEndsABootAndAllOfIt) {
  const std::string told = run_in_child(
      [] {
        install_interrupt_handler();
        std::jthread killer([] {
          std::this_thread::sleep_for(milliseconds(300));
          ::kill(::getpid(), SIGTERM);
        });
        const std::string interrupted = error_of<Interrupted>([] {
          start(Accelerator::emulation, kernel_file(), service_init(), {}, milliseconds(60'000));
        });

        return std::string(interrupted.empty() ? "not interrupted" : "interrupted") +
               (descendants(::getpid()).empty() ? "" : ", and QEMU lives");
      },
      milliseconds(30'000), "test");
  EXPECT_EQ(told, "interrupted");
}

TEST_F(Microvm, AVerdictOnKvmIsFoundOnceForABootOfTheHost) {
  const std::string why = kvm_unfit();
  const auto file = kernel_file().parent_path() / "kvm-verdict";
  std::ifstream in(file);
  std::string key, kept;
  std::getline(in, key);
  std::getline(in, kept);
  EXPECT_EQ(kept, why);
  EXPECT_FALSE(key.empty());
  EXPECT_EQ(why_untimed(ours()).empty(), why.empty());
}

TEST(MicrovmParts, WithoutQemuThereIsOneLine) {
  const Variable path("PATH", "/nonexistent");
  if (::access("/usr/sbin/qemu-system-x86_64", X_OK) == 0) GTEST_SKIP() << "found elsewhere";
  EXPECT_THAT(ours().unavailable(), AllOf(HasSubstr("qemu-system-x86_64 is not installed"),
                                          HasSubstr("qemu-system-x86")));
  EXPECT_EQ(why_untimed(ours()), "") << "said by unavailable()";
  EXPECT_THROW(Machine(Boot{"test", "kernel", {}}), NotAvailable);
}

TEST(MicrovmParts, WithoutItsKernelThereIsOneLineAndNoDownload) {
  const measure::ScratchDirectory home(measure::scratch_parent());
  const Variable variable("MISSIVE_HOME", home.path().string());
  if (const std::string why = ours().unavailable(); why.find("not installed") != std::string::npos)
    GTEST_SKIP() << why;
  EXPECT_THAT(ours().unavailable(), HasSubstr("its kernel is not here yet"));
  EXPECT_EQ(why_untimed(ours()), "");
  EXPECT_TRUE(std::filesystem::is_empty(home.path()));
}

TEST(MicrovmParts, AMirrorOutOfReachIsNotAvailable) {
  const measure::ScratchDirectory home(measure::scratch_parent());
  const Variable variable("MISSIVE_HOME", home.path().string());
  const Variable mirror("MISSIVE_DEBIAN_MIRROR", "http://127.0.0.1:9/debian");
  const std::string told = error_of<NotAvailable>([] { ensure_kernel(); });
  EXPECT_THAT(told, AllOf(HasSubstr("kernel of microVMs: the Debian mirror"),
                          HasSubstr("cannot be reached")));
  EXPECT_FALSE(std::filesystem::exists(home.path() / "kernels/debian-12"));
  EXPECT_FALSE(std::filesystem::exists(home.path() / "kernels/.debian-12.building"));
}

TEST(MicrovmParts, TheArchiveIsOneThatTheKernelReads) {
  const Bytes program(5, std::byte{'x'});
  const Bytes archive = initramfs(program);
  const std::string text(reinterpret_cast<const char*>(archive.data()), archive.size());
  EXPECT_EQ(archive.size() % 4, 0U);
  EXPECT_EQ(text.substr(0, 6), "070701");
  const auto init = text.find("init", 110 + 4);
  ASSERT_NE(init, std::string::npos);
  EXPECT_EQ(text.substr(init - 110 + 6 + 6 * 8, 8), "00000005") << "its size";
  EXPECT_EQ(text.substr(init - 110 + 6 + 8, 8), "000081ED") << "a program, 0755";
  // Header and name are padded to 4 bytes together.
  EXPECT_EQ((init - 110) % 4, 0U);
  EXPECT_EQ(text.substr((init + 5 + 3) / 4 * 4, 5), "xxxxx");
  EXPECT_NE(text.find("TRAILER!!!"), std::string::npos);
}

}  // namespace
}  // namespace missive::domains::microvm
