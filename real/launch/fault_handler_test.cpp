// Programs mapped from an image of which blocks are verified when they are touched. In each, what
// the program says (guest/page_probe.c) is right or it says nothing more, and ends.

#include "real/launch/fault_handler.h"

#include <csignal>
#include <cstring>

#include <gmock/gmock.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <sys/wait.h>

#include "real/launch/init_control.h"
#include "real/launch/launch_runs.h"
#include "real/launch/probe_testing.h"
#include "real/measure/mapped_pages.h"
#include "real/process.h"
#include "real/zar/recipe.h"

namespace missive::launch {
namespace {

using namespace missive::launch::testing;
using ::testing::HasSubstr;
using Bytes = std::vector<std::byte>;

constexpr std::uint64_t kBlock = 4096;
constexpr std::uint64_t kMiB = std::uint64_t{1} << 20;

// Both forms of both probes, in small blocks. The recorded start touches some content.
class LazyImage {
 public:
  LazyImage() {
    const fs::path tree = directory_.path() / "tree", file = directory_.path() / "image";
    for (const char* each : {"proc", "dev", "tmp", "run", "home", "var/tmp", "bin"})
      fs::create_directories(tree / each);
    for (const char* each : {"page-probe-exec", "page-probe-pie", "static-probe-exec"}) {
      fs::copy_file(fs::path(MISSIVE_STATIC_PROBES) / each, tree / "bin" / each);
      fs::permissions(tree / "bin" / each, fs::perms(0755));
    }
    put(tree / "data/other", std::string(100'000, 'o'));
    zar::Selection selection;
    selection.runs = {{"/bin/page-probe-exec", 100, 200}, {"/data/other", 3, 9}};
    zar::BuildOptions options;
    options.block_size = kBlock;
    zar::build(tree, selection, options, file);
    std::ifstream in(file, std::ios::binary);
    const std::string text{std::istreambuf_iterator<char>(in), {}};
    const auto bytes = std::as_bytes(std::span(text));
    bytes_.assign(bytes.begin(), bytes.end());
    const zar::Image image = zar::Image::open(bytes_, "image");
    recipe_ = zar::make_recipe(bytes_, image.block_size(), image.degree());
  }
  static const LazyImage& get() {
    static const LazyImage one;
    return one;
  }
  const Bytes& bytes() const { return bytes_; }
  const zar::Recipe& recipe() const { return recipe_; }
  verify::Expected expected() const { return {recipe_.name(), recipe_.shape, "probe", 1}; }
  // Where, in the image, the byte lies that is `at` behind such a mark of a form's program.
  std::uint64_t find(const std::string& form, const std::string& mark, std::uint64_t at) const {
    const zar::Image image = zar::Image::open(bytes_, "image");
    const zar::Entry& entry = image.entries()[image.find("/bin/page-probe-" + form).value()];
    const auto content = image.content(entry);
    const auto wanted = std::as_bytes(std::span(mark));
    const auto found = std::ranges::search(content, wanted);
    return entry.offset + static_cast<std::uint64_t>(found.begin() - content.begin()) + 16 + at;
  }

 private:
  TemporaryDirectory directory_;
  Bytes bytes_;
  zar::Recipe recipe_;
};

// A sealed memory file as a cache hands it over: with what `change` makes of the image, and with
// holes instead of pages of zeros if `sparse`.
UniqueFd memory_file(Bytes bytes, bool sparse) {
  UniqueFd file(::memfd_create("image", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (!file || ::ftruncate(file.get(), static_cast<off_t>(bytes.size())) != 0)
    throw_errno("memory file");
  const Bytes zeros(kBlock);
  for (std::size_t at = 0; at < bytes.size(); at += kBlock)
    if (!sparse || std::memcmp(bytes.data() + at, zeros.data(), kBlock) != 0)
      if (::pwrite(file.get(), bytes.data() + at, kBlock, static_cast<off_t>(at)) < 0)
        throw_errno("memory file");
  if (::fcntl(file.get(), F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL) !=
      0)
    throw_errno("seals");
  return file;
}

using Change = std::function<void(Bytes&)>;
struct Cache {
  Change change;
  bool sparse = false;
  int memory = -1;  // handed over before, once more
};

// One program from one launcher, in the order in which their ends must come.
class Lazy {
 public:
  explicit Lazy(const Cache& cache = {}) {
    Bytes bytes = LazyImage::get().bytes();
    if (cache.change) cache.change(bytes);
    file_ = cache.memory < 0 ? memory_file(bytes, cache.sparse)
                             : UniqueFd(::fcntl(cache.memory, F_DUPFD_CLOEXEC, 0));
    memory_ = Mapping::read_only(file_.get(), bytes.size(), "the image");
    blocks_ = verify::BlockVerifier::by_tree(memory_.bytes(), LazyImage::get().expected(),
                                             LazyImage::get().recipe().serialize());
    blocks_->require(0, zar::Image::opened_bytes(memory_.bytes(), "image"));
    image_.emplace(zar::Image::open(memory_.bytes(), "image"));
    front_ = blocks_->accepted_blocks();
    delivery_ = make_mmap_delivery();
    root_ = delivery_->deliver_lazily(*image_, *blocks_, &delivered_);
  }
  void start(std::vector<std::string> command, int output) {
    Environment environment = probe_environment({});
    environment.command = std::move(command);
    const MappedProgram* const program = delivery_->program(environment);
    process_.emplace(Picoprocess::create());
    process_->start(root_, environment, output, 2, program);
  }
  // Starts it with these words and returns all it says until it has ended.
  std::string run(const std::string& form, std::vector<std::string> words) {
    Pipe output;
    words.insert(words.begin(), "/bin/page-probe-" + form);
    start(std::move(words), output.in.get());
    output.in.reset();
    return read_all(output.out.get());
  }
  verify::BlockVerifier& blocks() { return *blocks_; }
  bool accepted(std::uint64_t offset) const { return blocks_->accepted(offset / kBlock); }
  std::uint64_t front() const { return front_; }
  Delivery& delivery() { return *delivery_; }
  const Delivered& delivered() const { return delivered_; }
  const zar::Image& image() const { return *image_; }
  Picoprocess& process() { return *process_; }
  int file() const { return file_.get(); }
  // The launcher's own page tables forget the image.
  void forget() const {
    ::madvise(const_cast<std::byte*>(memory_.bytes().data()), memory_.bytes().size(),
              MADV_DONTNEED);
  }

 private:
  UniqueFd file_;
  Mapping memory_;
  std::unique_ptr<verify::BlockVerifier> blocks_;
  std::optional<zar::Image> image_;
  std::uint64_t front_ = 0;
  Delivered delivered_;
  std::unique_ptr<Delivery> delivery_;
  UniqueFd root_;
  std::optional<Picoprocess> process_;
};

class FaultHandlerTest : public ::testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    if (const auto why = delivery("mmap").unavailable_for(true); !why.empty())
      GTEST_SKIP() << "delivery mmap, lazily, is not available here: " << why;
  }
  static std::uint64_t content(std::uint64_t at) {
    return LazyImage::get().find(GetParam(), "MISSIVE CONTENT", at);
  }
  static std::uint64_t data(std::uint64_t at) {
    return LazyImage::get().find(GetParam(), "MISSIVE DATA ..", at);
  }
  static std::uint64_t text() { return LazyImage::get().find(GetParam(), "MISSIVE TEXT ...", 0); }
};

Change flipped(std::uint64_t offset) {
  return [=](Bytes& bytes) { bytes[offset] ^= std::byte{1}; };
}

TEST_P(FaultHandlerTest, ShowsTheRightBytesAndVerifiesWhatIsTouchedAlone) {
  Lazy lazy;
  EXPECT_EQ(lazy.delivered().files, 1U);
  EXPECT_EQ(lazy.blocks().accepted_blocks(), lazy.front()) << "delivering looks at no content";
  EXPECT_EQ(lazy.run(GetParam(), {"read", "1048576", "text", "0", "data", "20480", "write", "36864",
                                  "send", "2097152", "read", "4194303"}),
            "read 11\ntext 66\ndata 5\nwritten 10\n\x16sent 1\nread 55\n");
  for (const std::uint64_t touched : {content(kMiB), content(2 * kMiB), content(4 * kMiB - 1),
                                      data(5 * 4096), data(9 * 4096), text()})
    EXPECT_TRUE(lazy.accepted(touched)) << touched;
  for (const std::uint64_t other :
       {content(3 * kMiB), content(kMiB + 4096), content(kMiB - 4096), data(12 * 4096)})
    EXPECT_FALSE(lazy.accepted(other)) << other;
  // A static C library's start and what it prints with: less than 100 of its blocks.
  EXPECT_LT(lazy.blocks().accepted_blocks(), lazy.front() + 150);
  EXPECT_EQ(lazy.blocks().failure(), "");
  EXPECT_EQ(lazy.delivery().failure(), "");
}

TEST_P(FaultHandlerTest, ABlockThatIsRefusedIsSeenByNobodyAndEndsTheApplication) {
  const struct {
    const char* what;
    const char* at;
    std::uint64_t offset;
  } cases[] = {{"text", "0", text()},
               {"read", "3145728", content(3 * kMiB)},
               {"data", "20480", data(5 * 4096)},
               {"write", "20480", data(5 * 4096)},
               {"send", "3145728", content(3 * kMiB)},  // the kernel is the one to look
               {"fork", "3145728", content(3 * kMiB)},
               {"move", "3145728", content(3 * kMiB)},
               {"grow", "3145728", content(3 * kMiB + 4096)}};
  for (const auto& each : cases) {
    SCOPED_TRACE(each.what);
    Lazy lazy({flipped(each.offset)});
    EXPECT_EQ(lazy.run(GetParam(), {"read", "1048576", each.what, each.at, "read", "2097152"}),
              "read 11\n");
    EXPECT_THAT(lazy.blocks().failure(),
                HasSubstr("block " + std::to_string(each.offset / kBlock) + " of"));
    pollfd ended{lazy.process().pidfd(), POLLIN, 0};
    EXPECT_EQ(::poll(&ended, 1, 10'000), 1) << "it lives on";
    EXPECT_EQ(lazy.delivery().failure(), "");
  }
}

TEST_P(FaultHandlerTest, ABlockThatNobodyTouchesIsNotAskedFor) {
  Lazy lazy({flipped(content(3 * kMiB))});
  EXPECT_EQ(lazy.run(GetParam(), {"read", "1048576"}), "read 11\n");
  EXPECT_EQ(lazy.blocks().failure(), "");
}

// A page that the memory file does not have would be zeros without anybody being asked.
TEST_P(FaultHandlerTest, AHoleIsABlockLikeAnyOther) {
  const std::uint64_t at = content(3 * kMiB) / kBlock * kBlock;
  Lazy hole({[=](Bytes& bytes) {
               std::fill_n(bytes.begin() + static_cast<long>(at), kBlock, std::byte{0});
             },
             true});
  EXPECT_EQ(hole.run(GetParam(), {"read", "1048576", "read", "3145728"}), "read 11\n");
  EXPECT_THAT(hole.blocks().failure(), HasSubstr("is not the one its vendor signed"));

  Lazy sparse({{}, true});
  EXPECT_EQ(sparse.run(GetParam(), {"read", "3145728", "read", "500000"}), "read 33\nread 0\n");
}

TEST_P(FaultHandlerTest, WhenAddressesChangeTheirMeaningTheWholeImageIsVerifiedFirst) {
  const struct {
    const char* what;
    const char* says;
  } cases[] = {
      {"fork", "child 33\nchild ended 0\n"}, {"move", "moved 33\n"}, {"grow", "grown 44\n"}};
  for (const auto& each : cases) {
    SCOPED_TRACE(each.what);
    Lazy lazy;
    EXPECT_EQ(lazy.run(GetParam(), {"read", "1048576", each.what, "3145728", "read", "2097152",
                                    "fork", "2097152", "text", "0"}),
              std::string("read 11\n") + each.says + "read 22\nchild 22\nchild ended 0\ntext 66\n");
    EXPECT_TRUE(lazy.blocks().all_accepted());
  }
}

// madvise(2) would map what it collapses without asking.
TEST_P(FaultHandlerTest, PagesAreNotCollapsedPastTheHandler) {
  Lazy lazy;
  EXPECT_EQ(lazy.run(GetParam(), {"collapse", "100000", "watch", "0"}),
            "collapse " + std::to_string(EINVAL) + "\nwatch " + std::to_string(EPERM) + "\n");
  EXPECT_FALSE(lazy.accepted(content(3 * kMiB)));
}

// process_vm_readv(2) waits as the program does; /proc/PID/mem cannot, and fails.
TEST_P(FaultHandlerTest, AnotherProcessThatReadsItsMemorySeesWhatWasVerifiedOrNothing) {
  for (const bool right : {true, false}) {
    Lazy lazy({right ? Change() : flipped(content(3 * kMiB))});
    Pipe output;
    lazy.start({std::string("/bin/page-probe-") + GetParam(), "address", "3145728", "stay", "0"},
               output.in.get());
    std::array<char, 100> said{};
    ASSERT_GT(::read(output.out.get(), said.data(), said.size() - 1), 0);
    const auto address = static_cast<off_t>(std::stoll(std::string(said.data()).substr(8)));
    const pid_t application = measure::process_tree(lazy.process().pid()).back();
    const UniqueFd memory(
        ::open(("/proc/" + std::to_string(application) + "/mem").c_str(), O_RDONLY | O_CLOEXEC));
    unsigned char byte = 0;
    EXPECT_EQ(::pread(memory.get(), &byte, 1, address), -1);
    EXPECT_EQ(errno, EIO);
    if (!right) continue;
    const iovec here{&byte, 1}, there{reinterpret_cast<void*>(address), 1};
    EXPECT_EQ(::process_vm_readv(application, &here, 1, &there, 1, 0), 1);
    EXPECT_EQ(byte, 33);
    EXPECT_TRUE(lazy.accepted(content(3 * kMiB)));
    EXPECT_EQ(::pread(memory.get(), &byte, 1, address), 1);
  }
}

TEST_P(FaultHandlerTest, WhatIsPutAheadIsVerifiedAndThereAndInAmountsKnownBeforehand) {
  Lazy lazy;
  Pipe output;
  std::thread ahead([&] {  // begins before the program is placed, as in a launch
    EXPECT_EQ(lazy.delivery().put_ahead({}), launch_run_bytes(lazy.image()));
  });
  lazy.start({std::string("/bin/page-probe-") + GetParam(), "stay", "0"}, output.in.get());
  ahead.join();
  for (const zar::Extent& part :
       lazy.image().extents(lazy.image().entries()[lazy.image().find("/data/other").value()]))
    EXPECT_TRUE(lazy.blocks().accepted(part.offset + std::uint64_t{3} * 4096, 9UL * 4096));
  if (std::string(GetParam()) != "exec") return;  // whose start is not the recorded one
  lazy.forget();
  struct stat file {};
  ASSERT_EQ(::fstat(lazy.file(), &file), 0);
  const pid_t application = measure::process_tree(lazy.process().pid()).back();
  EXPECT_GE(measure::mapped_pages(application, file.st_dev, file.st_ino).resident, 200UL * 4096);
}

TEST_P(FaultHandlerTest, StoppedItWaitsForNoProgram) {
  Lazy lazy;
  std::stop_source stop;
  std::jthread ahead([&] { lazy.delivery().put_ahead(stop.get_token()); });
  stop.request_stop();
}

TEST_P(FaultHandlerTest, TwoProgramsHaveTheSamePages) {
  Lazy first, second({{}, false, first.file()});
  Pipe output;
  for (Lazy* each : {&first, &second}) {
    each->start({std::string("/bin/page-probe-") + GetParam(), "read", "1048576", "stay", "0"},
                output.in.get());
    std::array<char, 100> said{};
    ASSERT_GT(::read(output.out.get(), said.data(), said.size()), 0);
    each->forget();
  }
  struct stat file {};
  ASSERT_EQ(::fstat(first.file(), &file), 0);
  const auto pages = [&](Lazy& of) {
    return measure::mapped_pages(measure::process_tree(of.process().pid()).back(), file.st_dev,
                                 file.st_ino);
  };
  // All but what one of them has touched since it spoke, and the other not yet.
  const measure::MappedPages seen = pages(first);
  EXPECT_GT(seen.resident, 50U * 4096);
  EXPECT_LT(seen.proportional, seen.resident * 2 / 3);
  EXPECT_LT(pages(second).proportional, pages(second).resident * 2 / 3);
}

// ---- whose handler dies ----

// A launcher in a process of its own is stopped, so that it answers nothing; its application comes
// to a page that is wrong, and waits; then the launcher is killed. Without another owner of the
// userfaultfd (KeepMessage) the kernel would let the application go on, with that page.
TEST_P(FaultHandlerTest, WhenTheLauncherIsKilledTheApplicationEndsBeforeItSeesAnything) {
  Pipe output;
  const pid_t launcher = ::fork();
  ASSERT_GE(launcher, 0);
  if (launcher == 0) {
    try {
      Lazy lazy({flipped(content(3 * kMiB))});
      lazy.start({std::string("/bin/page-probe-") + GetParam(), "read", "1048576", "sleep", "300",
                  "read", "3145728", "stay", "0"},
                 output.in.get());
      output.in.reset();
      for (;;) ::pause();
    } catch (const std::exception& e) {
      std::fprintf(stderr, "%s\n", e.what());
    }
    ::_exit(1);
  }
  output.in.reset();
  std::array<char, 100> said{};
  ASSERT_EQ(::read(output.out.get(), said.data(), said.size()), 8);
  EXPECT_STREQ(said.data(), "read 11\n");
  ::kill(launcher, SIGSTOP);
  ::usleep(600'000);
  ::kill(launcher, SIGKILL);
  ::waitpid(launcher, nullptr, 0);
  EXPECT_EQ(read_all(output.out.get()), "") << "and within ten seconds";
}

INSTANTIATE_TEST_SUITE_P(Forms, FaultHandlerTest, ::testing::Values("exec", "pie"),
                         [](const auto& tested) { return std::string(tested.param); });

TEST(FaultHandler, TheProgramCannotTell) {
  if (const auto why = delivery("mmap").unavailable_for(true); !why.empty())
    GTEST_SKIP() << "delivery mmap, lazily, is not available here: " << why;
  const auto lines = [](const std::string& text) {
    std::vector<std::string> all;
    std::istringstream in(text);
    for (std::string line; std::getline(in, line);)
      if (!line.starts_with("map ")) all.push_back(line);
    return all;
  };
  const std::vector<std::string> command{"/bin/static-probe-exec", "one", ""};
  Pipe lazily, from_file;
  Lazy lazy;
  lazy.start(command, lazily.in.get());
  lazily.in.reset();
  const std::string said = read_all(lazily.out.get());
  const auto extract = make_extract_delivery();
  const UniqueFd root = extract->deliver(lazy.image(), nullptr);
  Environment environment = probe_environment({});
  environment.command = command;
  Picoprocess process = Picoprocess::create();
  process.start(root, environment, from_file.in.get(), 2);
  from_file.in.reset();
  EXPECT_EQ(lines(said), lines(read_all(from_file.out.get())));
  EXPECT_THAT(said, HasSubstr("bss zero\n"));
}

TEST(FaultHandler, WhoMayNotIsToldInOneLine) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root can become somebody else";
  const std::string said = run_in_child(
      [] {
        if (::setresuid(65534, 65534, 65534) != 0) throw_errno("setresuid");
        try {
          open_fault_device();
        } catch (const NotAvailable& e) {
          return std::string(e.what());
        }
        return std::string("opened");
      },
      std::chrono::seconds(10), "probe");
  EXPECT_THAT(said, HasSubstr("/dev/userfaultfd: "));
  EXPECT_EQ(said.find('\n'), std::string::npos);
}

}  // namespace
}  // namespace missive::launch
