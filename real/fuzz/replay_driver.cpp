// kTarget without a fuzzer: all seeds, then a fixed sequence of mutations, the same in every run. A
// finding ends the process as it would under libFuzzer. The input that is being tried is kept in
// the file ./NAME.input only when MISSIVE_FUZZ_KEEP names a directory for it. Arguments: files to
// run instead, such as the crash-* that libFuzzer writes.

#include <algorithm>
#include <array>
#include <cinttypes>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <string>

#include "real/fuzz/fuzz_target.h"

namespace {

using missive::fuzz::Bytes;

// Where length and offset fields go wrong.
constexpr std::array<std::uint64_t, 14> kLimits = {0,
                                                   1,
                                                   2,
                                                   0x7f,
                                                   0x80,
                                                   0xff,
                                                   0x7fff,
                                                   0xffff,
                                                   0x7fffffff,
                                                   0x80000000,
                                                   0xffffffff,
                                                   0x7fffffffffffffff,
                                                   0x8000000000000000,
                                                   0xffffffffffffffff};

class Mutator {
 public:
  explicit Mutator(const std::vector<Bytes>& seeds) : seeds_(seeds) {}

  Bytes next() {
    Bytes input = seeds_[below(seeds_.size())];
    for (std::size_t steps = 1 + below(4); steps > 0; --steps) mutate(input);
    return input;
  }

 private:
  // std::uniform_int_distribution differs between libraries; a slight bias does not matter here.
  std::size_t below(std::size_t limit) { return limit == 0 ? 0 : random_() % limit; }

  void mutate(Bytes& input) {
    const std::size_t at = below(input.size());
    switch (below(7)) {
      case 0:
        if (!input.empty()) input[at] ^= std::byte{1} << below(8);
        break;
      case 1:
        if (!input.empty()) input[at] = static_cast<std::byte>(random_());
        break;
      case 2: {  // a field of 1 to 8 bytes
        const std::uint64_t value = kLimits[below(kLimits.size())];
        const std::size_t width = std::size_t{1} << below(4);
        for (std::size_t i = 0; i < width && at + i < input.size(); ++i)
          input[at + i] = static_cast<std::byte>(value >> (8 * i));
        break;
      }
      case 3:
        input.resize(at);
        break;
      case 4: {  // a part once more
        const std::size_t count = std::min(below(64), input.size() - at);
        const Bytes part(input.begin() + static_cast<long>(at),
                         input.begin() + static_cast<long>(at + count));
        input.insert(input.begin() + static_cast<long>(at), part.begin(), part.end());
        break;
      }
      case 5: {
        const std::size_t count = std::min(below(64), input.size() - at);
        input.erase(input.begin() + static_cast<long>(at),
                    input.begin() + static_cast<long>(at + count));
        break;
      }
      default: {  // the end of another seed
        const Bytes& other = seeds_[below(seeds_.size())];
        const std::size_t from = std::min(at, other.size());
        input.resize(at);
        input.insert(input.end(), other.begin() + static_cast<long>(from), other.end());
      }
    }
  }

  const std::vector<Bytes>& seeds_;
  std::mt19937_64 random_{1};
};

// So that a crash leaves the input behind that made it.
void run(const Bytes& input) {
  if (const char* const folder = std::getenv("MISSIVE_FUZZ_KEEP"); folder != nullptr) {
    std::ofstream out(std::filesystem::path(folder) / "last.input", std::ios::binary);
    out.write(reinterpret_cast<const char*>(input.data()),
              static_cast<std::streamsize>(input.size()));
  }
  missive::fuzz::kTarget.run(input);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc > 1) {
    for (const std::string file : std::span(argv + 1, argv + argc)) {
      std::ifstream in(file, std::ios::binary);
      const std::string text{std::istreambuf_iterator<char>(in), {}};
      run(missive::fuzz::bytes_of(text));
    }
    return 0;
  }
  const std::vector<Bytes> seeds = missive::fuzz::kTarget.seeds();
  missive::fuzz::require(!seeds.empty(), "there are seeds");
  run({});
  for (const Bytes& seed : seeds) run(seed);
  Mutator mutator(seeds);
  for (unsigned i = 0; i < missive::fuzz::kTarget.rounds; ++i) run(mutator.next());
  std::printf("%zu seeds, %u mutations\n", seeds.size(), missive::fuzz::kTarget.rounds);
}
