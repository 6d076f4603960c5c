#pragma once
// A virtual machine with a kernel of its own: QEMU's machine type "microvm"
// (docs/system/i386/microvm of QEMU), a kernel, one program as its first process. Two serial ports
// and some memory that the host has mapped are all its devices; no file, socket or network address
// of the host is used for them, so that nothing can be left behind. QEMU runs with its system-call
// filter on, dies with the thread that started it, and sees no terminal.

#include <chrono>
#include <cstddef>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "real/domains/owned_process.h"
#include "real/fd.h"

namespace missive::domains::microvm {

enum class Accelerator { kvm, emulation };
std::string to_string(Accelerator accelerator);  // "KVM", "software emulation"

struct Boot {
  std::string who;  // begins error texts
  std::filesystem::path kernel;
  std::vector<std::byte> initramfs;
  Accelerator accelerator = Accelerator::emulation;
  std::string cpu = "max";        // as QEMU calls it
  std::size_t channel_bytes = 0;  // of memory behind the kernel's, at most 1 GiB
  int host_cpu = -1;              // that QEMU is pinned to; -1: none in particular
};

// Where the channel lies in the guest's memory is in guest/channel.h; the memory below is its own.
class Machine {
 public:
  // Starts QEMU and returns. Throws NotAvailable when it is not installed, InputError, RunError.
  explicit Machine(const Boot& boot);
  Machine(const Machine&) = delete;
  Machine& operator=(const Machine&) = delete;
  ~Machine();

  std::span<std::byte> channel() { return channel_; }

  // A byte to the guest's first serial port. The machine may have ended: await() tells.
  void ring();
  enum class Wake { rang, late, ended };
  // Until the guest wrote to its first serial port, or `end` has come. Throws Interrupted when an
  // interrupt was requested.
  Wake await(std::chrono::steady_clock::time_point end);
  // What the guest wrote there so far, the last 64 KiB of it.
  const std::string& received() const { return received_; }

  // The line of QEMU's errors and the kernel's console that says most about an end, "" for none.
  std::string said();
  // "exit status 1"; empty while it runs.
  std::string end() const { return process_.end(); }
  void stop() noexcept { process_.kill_now(); }

 private:
  void make_memory(const Boot& boot);
  void start(const Boot& boot, const std::string& program);
  bool receive();

  std::string who_;
  UniqueFd port_, console_;
  UniqueFd memory_, initramfs_;  // files in memory, until QEMU has them
  std::span<std::byte> channel_;
  std::string received_, console_text_;
  OwnedProcess process_;
};

}  // namespace missive::domains::microvm
