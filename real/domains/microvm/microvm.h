#pragma once
// The service in a virtual machine with a kernel of its own (mechanism "qemu-microvm").

#include <chrono>
#include <memory>
#include <span>
#include <string>

#include "real/domains/domain.h"
#include "real/domains/microvm/machine.h"

namespace missive::domains::microvm {

// The service's program, an ELF file: the machine's first process.
std::span<const std::byte> service_init();

// A domain in a machine that boots `program`. Throws what Machine does, and RunError when it is not
// ready within `patience`.
std::unique_ptr<Domain> start(Accelerator accelerator, const std::filesystem::path& kernel,
                              std::span<const std::byte> program, const DomainOptions& options,
                              std::chrono::milliseconds patience);

// Empty when Linux boots under KVM here; otherwise why not. Found out by trying, at most 15 s; kept
// beside the kernel until the next boot of this host. Needs the kernel to be there.
std::string kvm_unfit();

}  // namespace missive::domains::microvm
