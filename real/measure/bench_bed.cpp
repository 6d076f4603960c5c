#include "real/measure/bench_bed.h"

#include <algorithm>
#include <cstring>
#include <fstream>

#include <fcntl.h>
#include <unistd.h>

#include "models/error.h"
#include "real/cache/client.h"
#include "real/measure/clock.h"
#include "real/measure/tiny_program.h"

namespace missive::measure {

namespace fs = std::filesystem;

namespace {

// SplitMix64 (Steele, Lea, Flood 2014): content that neither compresses nor repeats.
class Content {
 public:
  explicit Content(std::uint64_t seed) : state_(seed) {}
  void fill(std::vector<std::uint64_t>& words) {
    for (auto& w : words) {
      std::uint64_t z = state_ += 0x9e3779b97f4a7c15;
      z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
      z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
      w = z ^ (z >> 31);
    }
  }

 private:
  std::uint64_t state_;
};

void write_file(const fs::path& file, std::uint64_t bytes, Content& content) {
  std::vector<std::uint64_t> words((bytes + 7) / 8);
  content.fill(words);
  std::ofstream out(file, std::ios::binary);
  out.write(reinterpret_cast<const char*>(words.data()), static_cast<std::streamsize>(bytes));
  if (!out.flush()) throw RunError(file.string() + ": cannot write; is the disk full?");
}

}  // namespace

struct BenchBed::Shape {
  std::string name;
  std::uint64_t files, file_bytes;
  std::uint64_t nodes = 0;  // directories and symbolic links, half and half
  std::uint64_t runs = 0, run_pages = 0;
  bool own_directories = false;  // for each file one below /f, instead of /f itself
  std::uint32_t block_size = zar::BuildOptions{}.block_size;
  std::string path(std::uint64_t file) const {
    return "/f/" + std::to_string(file) + (own_directories ? "/file" : "");
  }
};

void BenchBed::make(const Shape& shape) {
  const fs::path tree = scratch() / (shape.name + ".tree");
  fs::create_directories(tree / "f");
  Content content(std::hash<std::string>{}(shape.name));
  zar::Selection selection;
  for (std::uint64_t i = 0; i < shape.files; ++i) {
    const std::string path = shape.path(i);
    if (shape.own_directories) fs::create_directory(fs::path(tree.string() + path).parent_path());
    write_file(tree.string() + path, shape.file_bytes, content);
    selection.files.push_back(path);
  }
  for (std::uint64_t i = 0; i < shape.nodes; i += 2) {
    fs::create_directory(tree / ("d" + std::to_string(i)));
    fs::create_symlink("d" + std::to_string(i), tree / ("l" + std::to_string(i)));
  }
  // Runs spread evenly over all files, never adjacent.
  const std::uint64_t pages_per_file = shape.file_bytes / 4096;
  const std::uint64_t per_file =
      std::max<std::uint64_t>((shape.runs + shape.files - 1) / shape.files, 1);
  for (std::uint64_t i = 0; i < shape.runs; ++i) {
    const std::uint64_t file = i / per_file, k = i % per_file;
    selection.runs.push_back({shape.path(file),
                              static_cast<std::uint32_t>(k * pages_per_file / per_file),
                              static_cast<std::uint32_t>(shape.run_pages)});
  }
  add(shape.name, tree, selection, shape.block_size);
}

void BenchBed::make_links() {
  const fs::path tree = scratch() / "links.tree";
  const std::string libraries = "usr/lib/x86_64-linux-gnu/";
  fs::create_directories(tree / "etc" / "many.d");
  fs::create_directories(tree / libraries);
  fs::create_symlink("usr/lib", tree / "lib");
  Content content(1);
  zar::Selection selection;
  for (int i = 0; i < 400; ++i) {
    const std::string number = std::to_string(i), file = "library-" + number + ".so.1.2.3";
    write_file(tree / libraries / file, 4096, content);
    fs::create_symlink(file, tree / libraries / ("library-" + number + ".so.1"));
    fs::create_symlink("../../" + libraries + file, tree / "etc" / "many.d" / ("r" + number));
    fs::create_symlink("/lib/x86_64-linux-gnu/" + file, tree / "etc" / "many.d" / ("a" + number));
    selection.files.push_back("/" + libraries + file);
    selection.runs.push_back({"/" + libraries + file, 0, 1});
  }
  add("links", tree, selection, zar::BuildOptions{}.block_size);
}

void BenchBed::make_starter() {
  const fs::path tree = scratch() / "starter.tree";
  fs::create_directories(tree / "bin");
  const std::string program = tiny_program("");
  std::ofstream(tree.string() + kStarter, std::ios::binary)
      .write(program.data(), static_cast<std::streamsize>(program.size()));
  fs::permissions(tree.string() + kStarter, fs::perms::owner_all | fs::perms::group_exec |
                                                fs::perms::group_read | fs::perms::others_exec |
                                                fs::perms::others_read);
  add("starter", tree, {}, zar::BuildOptions{}.block_size);
}

void BenchBed::add(const std::string& name, const fs::path& tree, const zar::Selection& selection,
                   std::uint32_t block_size) {
  BenchImage image;
  image.name = name;
  image.file = scratch() / (name + ".zar");
  zar::BuildOptions options;
  options.block_size = block_size;
  image.report = zar::build(tree, selection, options, image.file);
  fs::remove_all(tree);
  const UniqueFd fd(::open(image.file.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) throw_errno(image.file.string());
  image.memory = Mapping::read_only(fd.get(), fs::file_size(image.file), image.name);
  image.boot_block = origin::sign({name, 1, image.report.name, image.report.recipe.shape}, key_);
  images_.emplace(name, std::move(image));
}

BenchBed::BenchBed(const fs::path& scratch_parent)
    : scratch_(scratch_parent),
      key_(origin::make_signing_key()),
      vendor_(origin::public_key(key_)) {
  constexpr std::uint64_t kKiB = 1024, kMiB = 1024 * kKiB;
  for (const Shape& shape :
       {Shape{"4MiB", 8, 512 * kKiB}, Shape{"12MiB", 24, 512 * kKiB},
        Shape{"24MiB", 48, 512 * kKiB}, Shape{"40MiB", 20, 2 * kMiB}, Shape{"many", 2000, 3000},
        Shape{"nodes", 1, 4096, 1600}, Shape{"empty", 1, 4096},
        Shape{"empty-run", 1, 4096, 0, 1, 1}, Shape{"many-run", 1000, 4096, 0, 1, 1},
        Shape{"runs-few", 8, 3 * kMiB, 0, 8, 512}, Shape{"runs-many", 8, 3 * kMiB, 0, 768, 4},
        Shape{"many-directories", 400, 4096, 0, 400, 1, true},
        Shape{"one-directory", 800, 4096, 0, 400, 1},
        Shape{"small-blocks", 16, 512 * kKiB, 0, 0, 0, false, 4096}})
    make(shape);
  make_links();
  make_starter();
  std::vector<origin::Publication> publications;
  for (const auto& [name, image] : images_)
    publications.push_back({name, image.file, image.report.recipe, image.boot_block});
  origin_ = std::make_unique<origin::OriginProcess>(publications);
  cache_socket_ = scratch() / "cache.socket";
  cache::CacheProcess::Options options;
  options.socket = cache_socket_;
  options.store = scratch() / "cache.store";
  options.server.service.origin_url = origin_->url();
  cache_ = std::make_unique<cache::CacheProcess>(options);
  auto client = cache::Client::connect(cache_socket_, std::chrono::seconds(30));
  for (const auto& [name, image] : images_) client.fetch(image.report.name);
}

void BenchBed::evict_caches() const {
  // Beyond that even a cache of hundreds of megabytes is shared with other machines' work.
  constexpr std::uint64_t kLeast = 64 << 20, kMost = 384 << 20;
  if (eviction_.bytes().empty()) {
    const long l3 = ::sysconf(_SC_LEVEL3_CACHE_SIZE);
    const std::uint64_t size = std::clamp<std::uint64_t>(
        l3 > 0 ? static_cast<std::uint64_t>(l3) * 5 / 4 : 0, kLeast, kMost);
    eviction_ = Mapping::anonymous(size, "cache eviction");
    std::memset(eviction_.writable().data(), 1, size);
  }
  std::uint64_t sum = 0;
  const auto bytes = eviction_.bytes();
  for (std::size_t i = 0; i < bytes.size(); i += 64) sum += static_cast<std::uint64_t>(bytes[i]);
  keep(sum);
}

fs::path BenchBed::fresh_directory() {
  // Named after the process: forked measurement processes share this bed.
  const auto name = [&](std::uint64_t n) {
    return scratch() / ("fresh-" + std::to_string(::getpid()) + "-" + std::to_string(n));
  };
  fs::remove_all(name(fresh_));
  const fs::path made = name(++fresh_);
  fs::create_directory(made);
  return made;
}

const BenchImage& BenchBed::image(const std::string& name) const { return images_.at(name); }

}  // namespace missive::measure
