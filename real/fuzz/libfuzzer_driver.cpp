// kTarget under libFuzzer (https://llvm.org/docs/LibFuzzer.html). With the variable
// MISSIVE_FUZZ_SEEDS set, it writes the seeds into that directory and ends: scripts/fuzz does so
// before each run.

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include "real/fuzz/fuzz_target.h"

extern "C" int LLVMFuzzerInitialize(int*, char***) {
  const char* const folder = std::getenv("MISSIVE_FUZZ_SEEDS");
  if (folder == nullptr) return 0;
  std::size_t count = 0;
  for (const auto& seed : missive::fuzz::kTarget.seeds()) {
    std::ofstream out(std::filesystem::path(folder) / ("seed-" + std::to_string(count++)),
                      std::ios::binary);
    out.write(reinterpret_cast<const char*>(seed.data()),
              static_cast<std::streamsize>(seed.size()));
  }
  std::_Exit(0);
}

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  missive::fuzz::kTarget.run(std::as_bytes(std::span(data, size)));
  return 0;
}
