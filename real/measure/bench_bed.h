#pragma once
// What micro-measurements work on: synthetic images made once (random content, from a fixed seed),
// an origin that serves them and a cache that holds them. None of it has anything of a real
// application in it.

#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "real/cache/server.h"
#include "real/fd.h"
#include "real/measure/scratch.h"
#include "real/origin/boot_block.h"
#include "real/origin/server.h"
#include "real/zar/builder.h"
#include "real/zar/image.h"

namespace missive::measure {

inline constexpr const char* kStarter = "/bin/wait";

struct BenchImage {
  std::string name;
  std::filesystem::path file;
  zar::BuildReport report;
  Mapping memory;
  std::vector<std::byte> boot_block;

  zar::Image open() const { return zar::Image::open(memory.bytes(), name); }
};

class BenchBed {
 public:
  explicit BenchBed(const std::filesystem::path& scratch_parent);

  // Content images "4MiB", "12MiB", "24MiB", "40MiB"; "many" (2,000 small files); "nodes"
  // (directories and links only) and "empty" (one page, to subtract); "runs-few" and "runs-many"
  // (24 MiB with 8 and 768 page runs), "empty-run" and "many-run" (one run among 1 and 1,000
  // files); "many-directories" (400, of a file with one run each) and "one-directory" (of as many
  // such files, and as many others for the directories); "links" (400 files of one directory, and
  // three symbolic links to each); "starter" (one static program, kStarter, that waits for
  // signals); "small-blocks" (8 MiB in blocks of 4 KiB).
  const BenchImage& image(const std::string& name) const;
  const std::filesystem::path& scratch() const { return scratch_.path(); }
  // Reads more memory than the caches hold. In a launch, what a phase works on was last used long
  // before, by another process; a micro-measurement in a loop would find it in the cache.
  void evict_caches() const;
  // An empty directory, another one each time; what an earlier call gave is removed.
  std::filesystem::path fresh_directory();
  const std::string& origin_url() const { return origin_->url(); }
  const std::filesystem::path& cache_socket() const { return cache_socket_; }
  const verify::PublicKey& vendor() const { return vendor_; }

 private:
  struct Shape;
  void make(const Shape& shape);
  void make_links();
  void make_starter();
  void add(const std::string& name, const std::filesystem::path& tree,
           const zar::Selection& selection, std::uint32_t block_size);

  ScratchDirectory scratch_;
  origin::SigningKey key_;
  verify::PublicKey vendor_;
  std::map<std::string, BenchImage> images_;
  std::unique_ptr<origin::OriginProcess> origin_;
  std::filesystem::path cache_socket_;
  std::unique_ptr<cache::CacheProcess> cache_;
  std::uint64_t fresh_ = 0;
  mutable Mapping eviction_;
};

}  // namespace missive::measure
