#include "real/domains/pie/initial_stack.h"

#include <atomic>
#include <cstring>
#include <span>

#include <elf.h>
#include <sys/auxv.h>
#include <sys/random.h>

#include "models/error.h"

namespace missive::domains::pie {

namespace {

class Stack {
 public:
  explicit Stack(const Slot& slot) : top_(slot.stack.data() + slot.stack.size()) {}

  std::uint64_t push(const void* data, std::size_t size) {
    top_ -= (size + 15) & ~std::size_t{15};
    std::memcpy(top_, data, size);
    return reinterpret_cast<std::uint64_t>(top_);
  }
  std::uint64_t push(const std::string& text) { return push(text.c_str(), text.size() + 1); }

 private:
  std::byte* top_;
};

// 16 bytes a domain for AT_RANDOM: from the kernel once, then stirred (splitmix64).
std::uint64_t stir() {
  static std::atomic<std::uint64_t> seed{[] {
    std::uint64_t s = 0;
    if (::getrandom(&s, sizeof s, 0) < 0) s = 0;
    return s;
  }()};
  std::uint64_t z = seed.fetch_add(0x9e3779b97f4a7c15, std::memory_order_relaxed);
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
  z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
  return z ^ (z >> 31);
}

void check_size(const StartArguments& arguments, std::size_t stack) {
  std::size_t bytes = 0;
  for (const auto* list : {&arguments.argv, &arguments.environment})
    for (const std::string& text : *list) bytes += text.size() + 32;
  if (bytes > stack / 4)
    throw InputError("arguments and environment of " + std::to_string(bytes) +
                     " bytes do not fit into the program's stack of " + std::to_string(stack));
}

}  // namespace

std::uint64_t build_stack(const Program& program, const Slot& slot, const StartArguments& arguments,
                          const missive_pie_link* link) {
  check_size(arguments, slot.stack.size());
  Stack stack(slot);
  const std::uint64_t random[2] = {stir(), stir()};
  const std::uint64_t random_at = stack.push(random, sizeof random);
  std::vector<std::uint64_t> words{arguments.argv.size()};
  words.reserve(64);
  for (const std::string& text : arguments.argv) words.push_back(stack.push(text));
  const std::uint64_t name = arguments.argv.empty() ? 0 : words[1];
  words.push_back(0);
  for (const std::string& text : arguments.environment) words.push_back(stack.push(text));
  words.push_back(0);
  const auto base = reinterpret_cast<std::uint64_t>(slot.base);
  const auto add = [&words](std::uint64_t type, std::uint64_t value) {
    words.push_back(type);
    words.push_back(value);
  };
  add(AT_PHDR, base + program.headers);
  add(AT_PHENT, sizeof(Elf64_Phdr));
  add(AT_PHNUM, program.header_count);
  add(AT_PAGESZ, kPage);
  add(AT_BASE, 0);
  add(AT_ENTRY, base + program.entry);
  for (const std::uint64_t same : {AT_UID, AT_EUID, AT_GID, AT_EGID, AT_HWCAP, AT_HWCAP2, AT_CLKTCK,
                                   AT_SYSINFO_EHDR, AT_MINSIGSTKSZ})
    add(same, ::getauxval(same));
  add(AT_SECURE, 0);
  add(AT_RANDOM, random_at);
  add(AT_EXECFN, name);
  if (link != nullptr) add(MISSIVE_PIE_LINK, reinterpret_cast<std::uint64_t>(link));
  add(AT_NULL, 0);
  if (words.size() % 2 != 0) words.push_back(0);  // the stack pointer is aligned to 16 at the entry
  return stack.push(words.data(), words.size() * sizeof words[0]);
}

}  // namespace missive::domains::pie
