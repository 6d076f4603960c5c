// Physical pages behind the mapped files of two applications that run at the same time, by each
// delivery and natively: two launches of one image, and two images of applications that have blocks
// in common.
//
//   real_launch_page_sharing_bench [--app NAME] [--with NAME]     (reader-100MiB-1: reader.h)
//
// Not times but the kernel's accounts (real/measure/mapped_pages.h), read once both are ready. "in
// common" is the part of the first one's pages that the second one maps as well: each such page
// counts by half in the first one's proportional share.

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "models/error.h"
#include "real/launch/application.h"
#include "real/launch/delivery.h"
#include "real/launch/native.h"
#include "real/launch/picoprocess.h"
#include "real/launch/reader.h"
#include "real/launch/ready.h"
#include "real/launch/sealed_memory.h"
#include "real/measure/mapped_pages.h"
#include "real/measure/scratch.h"
#include "real/verify/block_verifier.h"
#include "real/zar/builder.h"
#include "real/zar/extract.h"
#include "real/zar/recipe.h"

namespace {

namespace fs = std::filesystem;
using namespace missive;
using namespace missive::launch;

constexpr auto kDeadline = std::chrono::seconds(60);

// An application's image, and the same unpacked.
class Packed {
 public:
  Packed(const std::string& name, const fs::path& scratch) : application(application_of(name)) {
    const Application& app = application;
    const fs::path file = scratch / (app.name + ".zar");
    tree = scratch / app.name;
    const fs::path root = root_of(app, scratch);
    zar::build(root, trace_of(app).selection, {}, file);
    const UniqueFd fd(::open(file.c_str(), O_RDONLY | O_CLOEXEC));
    if (!fd) throw_errno(file.string());
    const auto size = static_cast<std::size_t>(fs::file_size(file));
    // As a cache hands it over: a mapped memory file, sealed.
    const UniqueFd sealed =
        sealed_file_of(Mapping::read_only(fd.get(), size, file.string()).bytes(), "image");
    memory_ = Mapping::read_only(sealed.get(), size, file.string());
    image.emplace(zar::Image::open(memory_.bytes(), file.string()));
    fs::create_directory(tree);
    zar::extract(*image, tree);
  }
  // This process's page tables forget the image: it is no launcher that goes on with it.
  void forget() const {
    const auto bytes = memory_.bytes();
    if (::madvise(const_cast<std::byte*>(bytes.data()), bytes.size(), MADV_DONTNEED) != 0)
      throw_errno("madvise");
  }
  // Each block is verified when it is first needed.
  std::unique_ptr<verify::BlockVerifier> blocks() const {
    const zar::Recipe recipe =
        zar::make_recipe(image->data(), image->block_size(), image->degree());
    auto made = verify::BlockVerifier::by_tree(
        image->data(), {recipe.name(), recipe.shape, application.name, 1}, recipe.serialize());
    made->require(0, zar::Image::opened_bytes(image->data(), application.name));
    return made;
  }
  const Application application;
  fs::path tree;
  std::optional<zar::Image> image;

 private:
  Mapping memory_;
};

// A ready application: in a picoprocess, or natively when `info` is null.
class Running {
 public:
  Running(const Packed& packed, const DeliveryInfo* info, bool lazily) {
    const Application& app = packed.application;
    std::optional<WindowWatcher> watcher;
    if (app.ready == ReadyMark::first_window) {
      display_.emplace(Display::start());
      watcher.emplace(*display_);
    }
    Environment environment;
    environment.command = app.command;
    environment.variables = environment_for(app, display_ ? display_->name() : "");
    if (display_) environment.x11_socket = display_->socket();
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0) throw_errno("pipe");
    output_ = UniqueFd(ends[0]);
    UniqueFd inside(ends[1]);
    const UniqueFd log(::open("/dev/null", O_WRONLY | O_CLOEXEC));
    struct stat status {};
    int pidfd = -1;
    if (info != nullptr) {
      method_ = info->make();
      if (lazily) blocks_ = packed.blocks();
      const UniqueFd root = lazily ? method_->deliver_lazily(*packed.image, *blocks_, nullptr)
                                   : method_->deliver(*packed.image, nullptr);
      const MappedProgram* const program = method_->program(environment);
      if (::fstat(program != nullptr ? program->image.get() : root.get(), &status) != 0)
        throw_errno("what was delivered");
      if (program != nullptr) inode_ = status.st_ino;  // one of many memory files
      process_.emplace(Picoprocess::create());
      process_->start(root, environment, inside.get(), log.get(), program);
      pidfd = process_->pidfd();
    } else {
      if (::stat(packed.tree.c_str(), &status) != 0) throw_errno(packed.tree.string());
      before_ = measure::process_tree(::getpid());
      twin_.emplace(NativeTwin::prepare(packed.tree, environment.x11_socket));
      twin_->start(environment, inside.get(), log.get());
      pidfd = twin_->pidfd();
    }
    device_ = status.st_dev;
    inside.reset();
    if (watcher)
      watcher->wait(kDeadline, pidfd);
    else
      wait_for_output(output_.get(), kDeadline, pidfd);
    packed.forget();
    processes_ = process_ ? measure::process_tree(process_->pid()) : new_ones();
  }
  measure::MappedPages pages() const {
    measure::MappedPages sum;
    for (const pid_t each : processes_) sum += measure::mapped_pages(each, device_, inode_);
    return sum;
  }

 private:
  // The native twin's processes: what this one did not have before, but for the supervisor, which
  // still runs this program.
  std::vector<pid_t> new_ones() const {
    std::vector<pid_t> all = measure::process_tree(::getpid());
    std::erase_if(all, [&](pid_t pid) {
      std::error_code gone;
      return std::find(before_.begin(), before_.end(), pid) != before_.end() ||
             fs::equivalent("/proc/" + std::to_string(pid) + "/exe", "/proc/self/exe", gone);
    });
    return all;
  }

  std::optional<Display> display_;
  UniqueFd output_;
  std::unique_ptr<verify::BlockVerifier> blocks_;
  std::unique_ptr<Delivery> method_;  // before the process, which ends first
  std::optional<Picoprocess> process_;
  std::optional<NativeTwin> twin_;
  dev_t device_ = 0;
  ino_t inode_ = 0;  // 0: all of the device
  std::vector<pid_t> before_, processes_;
};

void print(const Packed& a, const Packed& b, const DeliveryInfo* info, bool lazily = false) {
  const std::string name = info == nullptr ? "native" : info->name + (lazily ? ", lazily" : "");
  std::printf("%-10s beside %-10s %-12s", a.application.name.c_str(), b.application.name.c_str(),
              name.c_str());
  if (const auto why = info != nullptr ? info->unavailable_for(lazily) : ""; !why.empty()) {
    std::printf(" not available here: %s\n", why.c_str());
    return;
  }
  measure::MappedPages alone, beside;
  try {
    const Running first(a, info, lazily);
    alone = first.pages();
    const Running second(b, info, lazily);
    beside = first.pages();
  } catch (const InputError& error) {  // a delivery of static programs, and this is none
    std::printf(" %s\n", error.what());
    return;
  }
  const auto mb = [](std::uint64_t bytes) { return static_cast<double>(bytes) / 1e6; };
  std::printf(" RSS %6.1f MB  PSS alone %6.1f, beside the second %6.1f MB: %3.0f %% in common\n",
              mb(beside.resident), mb(alone.proportional), mb(beside.proportional),
              std::max(0.0, 200 * (1 - mb(beside.proportional) / mb(alone.proportional))));
}

int run(const std::string& app, const std::string& with) {
  const measure::ScratchDirectory scratch(measure::scratch_parent());
  const Packed one(app, scratch.path());
  const Packed other(with, scratch.path());
  for (const Packed* second : {&one, &other}) {
    for (const DeliveryInfo& info : deliveries()) {
      print(one, *second, &info);
      if (info.lazy) print(one, *second, &info, true);
    }
    print(one, *second, nullptr);
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  std::string app = "gnumeric", with = "abiword";
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::string flag = argv[i];
    if (flag == "--app") app = argv[i + 1];
    if (flag == "--with") with = argv[i + 1];
  }
  try {
    return run(app, with);
  } catch (const missive::Error& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return static_cast<int>(error.status());
  }
}
