#include "real/domains/pie/dynamic.h"

#include <cerrno>
#include <cstring>
#include <map>
#include <mutex>
#include <utility>

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "models/error.h"
#include "real/domains/mechanism_list.h"
#include "real/domains/pie/elf.h"
#include "real/domains/pie/host_calls.h"
#include "real/domains/pie/loaded.h"
#include "real/fd.h"

#ifdef MISSIVE_PIE_DYNAMIC_GUEST
extern "C" const std::byte missive_pie_dynamic_image[];
extern "C" const std::byte missive_pie_dynamic_image_end[];
#endif

namespace missive::domains::pie {

namespace {

// Only what is touched takes memory.
constexpr SlotSizes kServiceSizes{1 << 20, 256 << 10};
constexpr SlotSizes kProgramSizes{256 << 20, 8 << 20};
constexpr std::size_t kMostServiceOutput = 1 << 20;

UniqueFd open_file(const std::string& path, const std::string& what) {
  UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  struct stat s {};
  if (!fd || ::fstat(fd.get(), &s) != 0)
    throw InputError(what + ": cannot be read: " + std::strerror(errno));
  if (!S_ISREG(s.st_mode)) throw InputError(what + ": not a regular file");
  if (s.st_size == 0) throw InputError(what + ": not an ELF file");
  return fd;
}

std::string interpreter_of(const std::string& path) {
  const UniqueFd fd = open_file(path, path);
  struct stat s {};
  ::fstat(fd.get(), &s);
  const Mapping file = Mapping::read_only(fd.get(), static_cast<std::size_t>(s.st_size), path);
  return read_interpreter(file.bytes(), path);
}

// The loader's image, one for all domains that live at the same time with slots of the same sizes.
std::shared_ptr<Pool> loader_pool(const std::string& loader, const std::string& program,
                                  const SlotSizes& sizes) {
  static std::mutex mutex;
  static std::map<std::pair<std::string, std::uint64_t>, std::weak_ptr<Pool>> kept;
  const std::lock_guard lock(mutex);
  std::weak_ptr<Pool>& entry = kept[{loader, sizes.heap}];
  std::shared_ptr<Pool> pool = entry.lock();
  if (!pool) {
    const std::string what = program + ": its dynamic loader " + loader;
    entry = pool = std::make_shared<Pool>(open_file(loader, what), what, sizes);
  }
  return pool;
}

// The command line of ld.so(8); `name` is what the program sees as its own.
StartArguments command_line(const std::string& loader, const std::string& path,
                            const std::string& name, const ProgramOptions& options) {
  StartArguments arguments{{loader, "--argv0", name, path}, options.environment};
  arguments.argv.insert(arguments.argv.end(), options.arguments.begin(), options.arguments.end());
  return arguments;
}

std::unique_ptr<Domain> start_from(const std::string& loader, const std::string& path,
                                   const DomainOptions& options) {
  return start_service(
      "pie-dynamic", path,
      std::make_unique<Loaded>(loader_pool(loader, path, kServiceSizes),
                               std::make_unique<HostCalls>(std::string(), kMostServiceOutput),
                               options.deadline),
      command_line(loader, path, "pie-domain",
                   {.arguments = {}, .environment = {}, .input = {}, .deadline = {}}),
      options);
}

// The service as built with this program, in a memory file, so that it has a path.
class BuiltIn {
 public:
  BuiltIn() {
#ifdef MISSIVE_PIE_DYNAMIC_GUEST
    std::span<const std::byte> rest{missive_pie_dynamic_image, missive_pie_dynamic_image_end};
    loader_ = read_interpreter(rest, "pie-dynamic");
    file_ = UniqueFd(::memfd_create("pie-domain", MFD_CLOEXEC));
    if (!file_) throw_errno("pie-dynamic: memfd_create");
    while (!rest.empty()) {
      const ssize_t n = ::write(file_.get(), rest.data(), rest.size());
      if (n <= 0) throw_errno("pie-dynamic: cannot store the program");
      rest = rest.subspan(static_cast<std::size_t>(n));
    }
#endif
  }
  static const BuiltIn& get() {
    static const BuiltIn one;
    return one;
  }
  const std::string& loader() const { return loader_; }
  std::string path() const { return "/proc/self/fd/" + std::to_string(file_.get()); }

 private:
  std::string loader_;
  UniqueFd file_;
};

std::string unavailable() {
#ifndef MISSIVE_PIE_DYNAMIC_GUEST
  return "built without a C compiler for the service's program";
#else
  if (std::string why = gate_unavailable(); !why.empty()) return why;
  const std::string& loader = BuiltIn::get().loader();
  if (::access(loader.c_str(), R_OK) != 0)
    return "the service's dynamic loader " + loader + " is not there; install libc6";
  return {};
#endif
}

void require_gate(const std::string& path) {
  if (const std::string why = gate_unavailable(); !why.empty())
    throw NotAvailable(path + ": " + why);
}

}  // namespace

std::unique_ptr<Domain> start_program(const std::string& path, const DomainOptions& options) {
  const std::string loader = interpreter_of(path);
  require_gate(path);
  return start_from(loader, path, options);
}

ProgramResult run_program(const std::string& path, const ProgramOptions& options) {
  const std::string loader = interpreter_of(path);
  require_gate(path);
  auto calls = std::make_unique<HostCalls>(options.input, options.most_output);
  const HostCalls& world = *calls;
  Loaded program(loader_pool(loader, path, kProgramSizes), std::move(calls), options.deadline);
  program.start(command_line(loader, path, path, options), nullptr);
  const Guest& end = program.guest();
  return {end.status, end.signal, end.late, world.output(1), world.output(2)};
}

}  // namespace missive::domains::pie

namespace missive::domains {

Mechanism pie_dynamic_mechanism() {
  Mechanism m;
  m.name = "pie-dynamic";
  m.what =
      "an unmodified dynamic PIE (glibc), loaded into this process by its own ld.so, its system "
      "calls caught (Syscall User Dispatch) and passed on, no boundary; a crossing saves the six "
      "callee-saved registers and changes the stack and FS base; messages by pointer";
  m.same_process = true;
  m.by_pointer = true;
  m.unavailable = pie::unavailable;
  m.create = [](const DomainOptions& options) -> std::unique_ptr<Domain> {
    if (const std::string why = pie::unavailable(); !why.empty())
      throw NotAvailable("pie-dynamic: " + why);
    const pie::BuiltIn& program = pie::BuiltIn::get();
    return pie::start_from(program.loader(), program.path(), options);
  };
  return m;
}

}  // namespace missive::domains
