// Whether two running applications have the same physical pages, method by method, seen in the
// kernel's own accounts (real/measure/mapped_pages.h). The registry says what to expect.

#include <sys/mman.h>

#include "real/launch/native.h"
#include "real/launch/probe_testing.h"
#include "real/measure/mapped_pages.h"

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

// An application that holds the file's pages.
class Held {
 public:
  Held(const DeliveryInfo& info, const zar::Image& image) : method_(info.make()) {
    const UniqueFd root = method_->deliver(image, nullptr);
    if (::fstatat(root.get(), kFile, &file_, 0) != 0) throw_errno(kFile);
    process_.emplace(Picoprocess::create());
    process_->start(root, probe_environment({"--probe", "hold"}), output_.in.get(), 2);
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

std::vector<std::string> methods() {
  std::vector<std::string> names;
  for (const DeliveryInfo& each : deliveries()) names.push_back(each.name);
  return names;
}
INSTANTIATE_TEST_SUITE_P(Deliveries, PageSharing, ::testing::ValuesIn(methods()),
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
