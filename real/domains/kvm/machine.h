#pragma once
// A virtual machine with one CPU and no guest kernel: its program runs at user privilege in 64-bit
// mode from the first instruction, and leaves by `out` (IOPL 3). There is no interrupt descriptor
// table, so every exception is a triple fault, which ends the machine. Linux,
// Documentation/virt/kvm/api.rst; Intel SDM 3A, 4.5 (paging), 5.5 (privilege).
//
// User privilege also because some hosts (KVM inside a guest, by PVM) interpret kernel-mode guest
// code instruction by instruction, while user code is native everywhere.

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "real/fd.h"

struct kvm_run;

namespace missive::domains::kvm {

constexpr std::uint64_t kTables = 2ull << 20;     // below lie page tables, out of the guest's reach
constexpr std::uint64_t kMaxMemory = 1ull << 30;  // one page directory

// Empty when machines can be made here, otherwise what is missing and what to do.
std::string unavailable();
// How this host runs machines, for labels: "" on bare metal.
std::string host_label();

class Machine {
 public:
  // Memory of `bytes` (kTables included, whole pages), zero, with what the guest may touch mapped
  // from kTables on, one to one. The program starts at `entry`. Throws NotAvailable, RunError for a
  // host limit (which one).
  Machine(std::uint64_t bytes, std::uint64_t entry);
  ~Machine();
  Machine(const Machine&) = delete;
  Machine& operator=(const Machine&) = delete;

  std::span<std::byte> memory() { return memory_.writable(); }

  // Runs until the program's next `out` to `port`. Throws DomainFault when it does anything else
  // that leaves the machine, faults, or is not back within `deadline` (0: none); Interrupted when
  // an interrupt was requested meanwhile. After a throw it must not run again.
  void run(std::uint16_t port, std::chrono::nanoseconds deadline);

 private:
  // What the kernel shares with us about a CPU.
  class RunState {
   public:
    RunState() = default;
    ~RunState();
    RunState(const RunState&) = delete;
    RunState& operator=(const RunState&) = delete;
    void map(int cpu, std::size_t size);
    kvm_run* operator->() const { return run_; }

   private:
    kvm_run* run_ = nullptr;
    std::size_t size_ = 0;
  };

  void give_memory();
  void set_registers(std::uint64_t entry);
  [[noreturn]] void refuse_exit() const;

  Mapping memory_;
  UniqueFd machine_, cpu_;
  RunState run_;
};

}  // namespace missive::domains::kvm
