// Whether two running applications have the same physical pages, method by method, seen in the
// kernel's own accounts (real/measure/mapped_pages.h). The registry says what to expect.

#include <sys/mman.h>

#include "real/launch/native.h"
#include "real/launch/probe_testing.h"
#include "real/launch/sealed_memory.h"
#include "real/measure/mapped_pages.h"
#include "real/measure/tiny_program.h"

namespace missive::launch {
namespace {

using namespace missive::launch::testing;
using measure::MappedPages;

constexpr const char* kFile = "data/large";

// Inside: maps the file, touches all of it, says so and stays.
int hold() {
  const UniqueFd file(::open("/data/large", O_RDONLY | O_CLOEXEC));
  const auto size = static_cast<std::size_t>(fs::file_size("/data/large"));
  const Mapping mapping = Mapping::read_only(file.get(), size, "/data/large");
  unsigned sum = 0;
  for (std::size_t i = 0; i < size; i += 4096)
    sum += static_cast<unsigned>(static_cast<const volatile std::byte&>(mapping.bytes()[i]));
  const std::string said = "read " + std::to_string(sum) + "\n";
  if (::write(1, said.data(), said.size()) < 0) return 1;
  for (;;) ::pause();
}

// Another application's image that has the same file among its own.
class OtherImage {
 public:
  OtherImage() {
    const fs::path tree = directory_.path() / "tree", file = directory_.path() / "image";
    make_tree(tree);
    put(tree / "data/other", std::string(5000, 'o'));
    zar::build(tree, {}, {}, file);
    const UniqueFd fd(::open(file.c_str(), O_RDONLY | O_CLOEXEC));
    mapping_ = Mapping::read_only(fd.get(), fs::file_size(file), "the other image");
    image_ = zar::Image::open(mapping_.bytes(), "image");
  }
  const zar::Image& image() const { return image_; }

 private:
  TemporaryDirectory directory_;
  Mapping mapping_;
  zar::Image image_;
};

constexpr std::uint64_t kData = std::uint64_t{1} << 20;

// For deliveries of static programs: one that touches all it has, with another file beside it when
// `more`, in a sealed memory file as a cache hands it over.
class StaticImage {
 public:
  explicit StaticImage(bool more) {
    const fs::path tree = directory_.path() / "tree", file = directory_.path() / "image";
    std::string program = measure::reading_program("ready\n", kData, kData);
    for (std::uint64_t i = 0; i < kData; ++i) program += static_cast<char>((i * 2654435761u) >> 24);
    put(tree / "probe", program);
    fs::permissions(tree / "probe", fs::perms(0755));
    if (more) put(tree / "data/other", std::string(5000, 'o'));
    zar::build(tree, {}, {}, file);
    sealed_.emplace(file);
  }
  const zar::Image& image() const { return sealed_->image(); }
  // The launcher's page tables forget the image: what is left of it are the applications'.
  void forget() const {
    const auto bytes = sealed_->bytes();
    if (::madvise(const_cast<std::byte*>(bytes.data()), bytes.size(), MADV_DONTNEED) != 0)
      throw_errno("madvise");
  }

 private:
  TemporaryDirectory directory_;
  std::optional<SealedImage> sealed_;
};

// An application that holds the file's pages.
class Held {
 public:
  Held(const DeliveryInfo& info, const zar::Image& image) : method_(info.make()) {
    const UniqueFd root = method_->deliver(image, nullptr);
    const Environment environment = probe_environment({"--probe", "hold"});
    const MappedProgram* const program = method_->program(environment);
    if (program != nullptr) {
      if (::fstat(program->image.get(), &file_) != 0) throw_errno("the image's memory file");
    } else if (::fstatat(root.get(), kFile, &file_, 0) != 0) {
      throw_errno(kFile);
    }
    process_.emplace(Picoprocess::create());
    process_->start(root, environment, output_.in.get(), 2, program);
    wait();
  }
  explicit Held(const fs::path& tree) : twin_(NativeTwin::prepare(tree, {})) {
    if (::stat((tree / kFile).c_str(), &file_) != 0) throw_errno(kFile);
    twin_->start(probe_environment({"--probe", "hold", token_}), output_.in.get(), 2);
    wait();
  }
  MappedPages pages() const {
    if (process_) {
      MappedPages sum;
      for (const pid_t each : measure::process_tree(process_->pid()))
        sum += measure::mapped_pages(each, file_.st_dev, file_.st_ino);
      return sum;
    }
    MappedPages sum;
    for (const std::string& each : processes_with(token_))
      sum += measure::mapped_pages(std::stoi(each), file_.st_dev, file_.st_ino);
    return sum;
  }

 private:
  void wait() {
    output_.in.reset();
    std::array<char, 16> said{};
    if (::read(output_.out.get(), said.data(), said.size()) <= 0)
      throw RunError("the application in the picoprocess could not read its file");
  }

  std::unique_ptr<Delivery> method_;  // before the process, which ends first
  std::string token_ = new_token();
  struct stat file_ {};
  Pipe output_;
  std::optional<Picoprocess> process_;
  std::optional<NativeTwin> twin_;
};

std::uint64_t file_bytes() {
  const zar::Image& image = ProbeImage::get().image();
  return (image.entries()[image.find("/data/large").value()].size + 4095) / 4096 * 4096;
}

class PageSharing : public ::testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    MISSIVE_NEEDS_PICOPROCESS();
    if (const auto why = info().unavailable(); !why.empty())
      GTEST_SKIP() << GetParam() << " is not available here: " << why;
  }
  static const DeliveryInfo& info() { return delivery(GetParam()); }
};

class PageSharingOfPrograms : public PageSharing {};

TEST_P(PageSharing, OfTwoLaunchesOfOneImageIsAsTheRegistrySays) {
  const zar::Image& image = ProbeImage::get().image();
  const Held first(info(), image);
  const MappedPages alone = first.pages();
  EXPECT_EQ(alone.resident, file_bytes());
  const Held second(info(), image);
  EXPECT_EQ(second.pages().resident, file_bytes());
  EXPECT_EQ(first.pages().resident, alone.resident);
  EXPECT_EQ(first.pages().proportional,
            info().shares_pages ? alone.proportional / 2 : alone.proportional);
}

TEST_P(PageSharing, OfTwoImagesWithTheSameFileThereIsNone) {
  const OtherImage other;
  const Held first(info(), ProbeImage::get().image());
  const MappedPages alone = first.pages();
  EXPECT_EQ(alone.proportional, file_bytes());
  const Held second(info(), other.image());
  EXPECT_EQ(second.pages().proportional, file_bytes());
  EXPECT_EQ(first.pages().proportional, alone.proportional);
}

// The same of a static program, whose pages are the image's own. The launcher, which verified them,
// maps them as well, and counts in the kernel's accounts as long as it does.
TEST_P(PageSharingOfPrograms, OfTwoLaunchesOfOneIsAsTheRegistrySays) {
  const StaticImage of(false);
  const Held first(info(), of.image());
  of.forget();
  const MappedPages alone = first.pages();
  EXPECT_EQ(alone.resident, kData + 4096);
  EXPECT_EQ(alone.proportional, alone.resident);
  const Held second(info(), of.image());
  of.forget();
  EXPECT_EQ(second.pages().resident, alone.resident);
  EXPECT_EQ(first.pages().resident, alone.resident);
  EXPECT_EQ(first.pages().proportional,
            info().shares_pages ? alone.proportional / 2 : alone.proportional);
}

TEST_P(PageSharingOfPrograms, OfTwoImagesWithTheSameOneThereIsNone) {
  const StaticImage one(false), other(true);
  const Held first(info(), one.image()), second(info(), other.image());
  one.forget();
  other.forget();
  EXPECT_EQ(first.pages().proportional, kData + 4096);
  EXPECT_EQ(second.pages().proportional, kData + 4096);
}

std::vector<std::string> methods(bool program_only) {
  std::vector<std::string> names;
  for (const DeliveryInfo& each : deliveries())
    if (each.program_only == program_only) names.push_back(each.name);
  return names;
}
INSTANTIATE_TEST_SUITE_P(Deliveries, PageSharing, ::testing::ValuesIn(methods(false)),
                         [](const auto& tested) { return tested.param; });
INSTANTIATE_TEST_SUITE_P(Deliveries, PageSharingOfPrograms, ::testing::ValuesIn(methods(true)),
                         [](const auto& tested) { return tested.param; });

// The trusted way, which shows that the measure sees sharing where there is some: two processes
// over one unpacked tree.
TEST(PageSharingOfTheNativeTwin, TwoOfOneTreeHaveEachPageOnce) {
  MISSIVE_NEEDS_PICOPROCESS();
  const Held first(ProbeImage::get().tree());
  EXPECT_EQ(first.pages().proportional, file_bytes());
  const Held second(ProbeImage::get().tree());
  EXPECT_EQ(first.pages().resident, file_bytes());
  EXPECT_EQ(first.pages().proportional, file_bytes() / 2);
}

}  // namespace
}  // namespace missive::launch

int main(int argc, char** argv) {
  if (argc >= 3 && std::string(argv[1]) == "--probe") return missive::launch::hold();
  ::testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
