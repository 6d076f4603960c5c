// Micro-measurements of page faults that this process answers for another one: delivery "mmap",
// lazily. All blocks were verified before; what that costs is measured elsewhere.

#include <array>
#include <csignal>
#include <cstdint>
#include <memory>

#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "models/error.h"
#include "real/launch/fault_handler.h"
#include "real/launch/sealed_memory.h"
#include "real/measure/clock.h"
#include "real/measure/micro_list.h"
#include "real/verify/block_verifier.h"
#include "real/zar/recipe.h"

namespace missive::measure {

namespace {

constexpr std::uint64_t kPage = 4096, kStretch = 16 * kPage, kStretches = 384;
// Of the first stretches one page each is accepted, and so mapped alone; of the second ones all. A
// last one is never looked at, or the handler would have nothing to watch.
constexpr std::uint64_t kHalf = kStretches * kStretch, kBytes = 2 * kHalf + kStretch;

class Blocks {
 public:
  Blocks() {
    Mapping bytes = Mapping::anonymous(kBytes, "memory to be touched");
    for (std::uint64_t at = 0; at < kBytes; at += kPage)
      bytes.writable()[at] = static_cast<std::byte>(at / kPage);
    file_ = launch::sealed_file_of(bytes.bytes(), "touched");
    memory_ = Mapping::read_only(file_.get(), kBytes, "touched");
    const zar::Recipe recipe = zar::make_recipe(memory_.bytes(), kPage, 128);
    blocks_ = verify::BlockVerifier::by_tree(
        memory_.bytes(), {recipe.name(), recipe.shape, "touched", 1}, recipe.serialize());
    for (std::uint64_t i = 0; i < kStretches; ++i) blocks_->require(i * kStretch, kPage);
    blocks_->require(kHalf, kHalf);
  }
  verify::BlockVerifier& get() { return *blocks_; }
  int file() const { return file_.get(); }

 private:
  UniqueFd file_;
  Mapping memory_;
  std::unique_ptr<verify::BlockVerifier> blocks_;
};

struct Said {
  int faults = -1;
  std::uint64_t base = 0;
};
struct Took {
  double alone = 0, around = 0;
};

double touch(const volatile std::byte* at) {
  return seconds_of([&] {
    for (std::uint64_t i = 0; i < kStretches; ++i) keep(at[i * kStretch]);
  });
}

// What the other process does: has its memory watched, touches it when told to, says how long that
// took.
[[noreturn]] void be_touched(int socket, int file) {
  Said said;
  const UniqueFd device(::open("/dev/userfaultfd", O_RDWR | O_CLOEXEC));
  said.faults = ::ioctl(device.get(), USERFAULTFD_IOC_NEW, O_CLOEXEC | O_NONBLOCK);
  const void* const at = ::mmap(nullptr, kBytes, PROT_READ, MAP_PRIVATE, file, 0);
  said.base = reinterpret_cast<std::uintptr_t>(at);
  if (said.faults < 0 || at == MAP_FAILED) ::_exit(1);
  char go = 0;
  if (::write(socket, &said, sizeof said) < 0 || ::read(socket, &go, 1) != 1) ::_exit(1);
  const auto* const pages = static_cast<const volatile std::byte*>(at);
  Took took;
  took.alone = touch(pages);
  took.around = touch(pages + kHalf);
  if (::write(socket, &took, sizeof took) < 0) ::_exit(1);
  ::pause();
  ::_exit(0);
}

// A process whose faults this one answers.
class Touched {
 public:
  explicit Touched(Blocks& blocks) {
    if (const auto why = launch::fault_handler_unavailable(); !why.empty())
      throw NotAvailable("page faults by userfaultfd: " + why);
    std::array<int, 2> ends{};
    if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends.data()) != 0)
      throw_errno("micro-measurement of page faults");
    socket_ = UniqueFd(ends[0]);
    UniqueFd inside(ends[1]);
    pid_ = ::fork();
    if (pid_ == 0) be_touched(inside.get(), blocks.file());
    inside.reset();
    if (pid_ < 0) throw_errno("micro-measurement of page faults");
    pidfd_ = UniqueFd(static_cast<int>(::syscall(SYS_pidfd_open, pid_, 0)));
    Said said;
    if (::read(socket_.get(), &said, sizeof said) != sizeof said)
      throw RunError("micro-measurement of page faults: the process to be watched died");
    UniqueFd faults(static_cast<int>(::syscall(SYS_pidfd_getfd, pidfd_.get(), said.faults, 0)));
    if (!faults) throw_errno("micro-measurement of page faults");
    launch::LoadPlan plan;
    plan.parts = 1;
    plan.part[0].mapped = kBytes;
    handler_ = std::make_unique<launch::FaultHandler>(std::move(faults), plan, said.base,
                                                      blocks.get(), kBytes, pidfd_.get());
  }
  ~Touched() {
    if (pid_ <= 0) return;
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }
  Touched(const Touched&) = delete;
  Touched& operator=(const Touched&) = delete;

  Took touch_all() {
    Took took;
    if (::write(socket_.get(), "", 1) != 1 ||
        ::read(socket_.get(), &took, sizeof took) != sizeof took)
      throw RunError("micro-measurement of page faults: the watched process died");
    return took;
  }
  launch::FaultHandler& handler() { return *handler_; }

 private:
  UniqueFd socket_, pidfd_;
  pid_t pid_ = -1;
  std::unique_ptr<launch::FaultHandler> handler_;  // goes when the process is dead
};

}  // namespace

void fault_answer(BenchBed& bed, Sampler& sample) {
  Blocks blocks;
  Touched touched(blocks);
  bed.evict_caches();
  const Took took = touched.touch_all();
  sample.add(0, kStretches * kPage, kStretches, took.alone);
  sample.add(0, kHalf, kStretches, took.around);
}

void fault_ahead(BenchBed& bed, Sampler& sample) {
  Blocks blocks;
  Touched touched(blocks);
  const auto map_all = [&](std::uint64_t from, std::uint64_t bytes) {
    bed.evict_caches();
    return seconds_of([&] {
      for (std::uint64_t i = 0; i < kStretches; ++i)
        touched.handler().map_ahead(from + i * kStretch, bytes);
    });
  };
  sample.add(0, kStretches * kPage, kStretches, map_all(0, kPage));
  sample.add(0, kHalf, kStretches, map_all(kHalf, kStretch));
}

}  // namespace missive::measure
