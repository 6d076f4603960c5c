#pragma once
// The system calls of an unmodified Linux program in this process: the kernel answers them, except
// those that would change this process instead of the program's part of it. Its descriptors are its
// own (descriptors.h), its mappings are noted and may not lie over others, and both are given back
// when it goes. A signal it sends itself ends it. It has no other process or thread (clone, execve:
// ENOSYS), no working directory, limits, timers or signal handlers of its own.
//
// An emulation for well-meant programs: files, for one, are those of the user it runs as.

#include <cstddef>
#include <cstdint>
#include <string>

#include "real/domains/pie/descriptors.h"
#include "real/domains/pie/regions.h"
#include "real/domains/pie/system_calls.h"

namespace missive::domains::pie {

class HostCalls final : public SystemCalls {
 public:
  // The program's standard input, and how much of each output is collected
  // before it gets EFBIG.
  HostCalls(std::string input, std::size_t most_output);
  ~HostCalls() override;
  HostCalls(const HostCalls&) = delete;
  HostCalls& operator=(const HostCalls&) = delete;

  std::int64_t answer(Guest& guest, const SystemCall& call) override;
  bool owns(const std::byte* code) const override;

  // What it wrote to descriptor 1 or 2.
  std::string output(int fd) const { return files_.output(fd, ~std::size_t{0}); }

 private:
  std::int64_t memory(Guest& guest, const SystemCall& call);
  std::int64_t map(const Guest& guest, SystemCall call);
  std::int64_t remap(SystemCall call);
  bool own(const Guest& guest, std::int64_t at, std::int64_t size) const;
  std::int64_t files(const SystemCall& call);
  std::int64_t on_descriptor(SystemCall call);
  std::int64_t in_directory(SystemCall call);
  std::int64_t make_pipe(const SystemCall& call);
  std::int64_t signals(Guest& guest, const SystemCall& call);
  std::int64_t end(Guest& guest, std::int64_t status, int signal);

  Descriptors files_;
  Regions maps_;
  std::size_t most_output_;
};

}  // namespace missive::domains::pie
