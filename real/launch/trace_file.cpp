// read_trace(): the reader of traces/launch/*.trace.gz (format: traces/README.md).

#include <algorithm>
#include <array>
#include <charconv>
#include <string_view>

#include "models/error.h"
#include "real/gzip.h"
#include "real/launch/application.h"

namespace missive::launch {

namespace fs = std::filesystem;

namespace {

constexpr std::size_t kMaxText = std::size_t{64} << 20;
constexpr std::uint64_t kPage = 4096;
constexpr std::uint64_t kMaxFileSize = std::uint64_t{1} << 40;
constexpr std::uint64_t kWindowUs = 100'000;  // of an S line

class Parser {
 public:
  explicit Parser(fs::path file) : file_(std::move(file)) {}

  LaunchTrace parse(std::string_view text) {
    if (!text.starts_with("# ")) fail("no '# key=value' header");
    header(text.substr(0, text.find('\n')));
    while (!text.empty()) {
      const std::size_t end = text.find('\n');
      if (end == std::string_view::npos) fail("last line has no end");
      line(text.substr(0, end));
      text.remove_prefix(end + 1);
      ++line_;
    }
    if (trace_.selection.files.empty()) fail("no file (F line)");
    return std::move(trace_);
  }

 private:
  [[noreturn]] void fail(const std::string& what) const {
    throw InputError(file_.string() + ":" + std::to_string(line_) + ": " + what);
  }

  std::uint64_t number(std::string_view text, const char* what, std::uint64_t limit) const {
    std::uint64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size() || value >= limit) {
      fail(std::string(what) + " is not a number below " + std::to_string(limit));
    }
    return value;
  }

  // Splits a line at tabs into exactly `Count` fields; the last one keeps what is left.
  template <std::size_t Count>
  std::array<std::string_view, Count> fields(std::string_view text) const {
    std::array<std::string_view, Count> result;
    for (std::size_t i = 0; i + 1 < Count; ++i) {
      const std::size_t tab = text.find('\t');
      if (tab == std::string_view::npos) fail("fewer than " + std::to_string(Count) + " fields");
      result[i] = text.substr(0, tab);
      text.remove_prefix(tab + 1);
    }
    if (text.find('\t') != std::string_view::npos) fail("too many fields");
    result[Count - 1] = text;
    return result;
  }

  std::size_t known_file(std::string_view text) const {
    return number(text, "file", trace_.selection.files.size());
  }

  void check_path(std::string_view path) const {
    const bool dots = path.ends_with("/..") || path.ends_with("/.") ||
                      path.find("/../") != std::string_view::npos ||
                      path.find("/./") != std::string_view::npos;
    if (path.size() < 2 || path.size() > 4096 || path.front() != '/' || path.back() == '/' ||
        dots || path.find("//") != std::string_view::npos ||
        path.find('\0') != std::string_view::npos) {
      fail("path is not absolute and normalised");
    }
  }

  // When the start was ready: "first_window_us" or "first_output_us" of "# key=value ...".
  void header(std::string_view text) {
    for (const std::string_view key : {" first_window_us=", " first_output_us="}) {
      const std::size_t at = text.find(key);
      if (at == std::string_view::npos) continue;
      text.remove_prefix(at + key.size());
      ready_us_ = number(text.substr(0, text.find(' ')), "ready mark", UINT64_MAX);
      return;
    }
  }

  // `missing` names in the window that ends at `end`. In one that the ready mark cuts they are
  // taken as evenly spread.
  std::uint64_t until_ready(std::uint64_t end, std::uint64_t missing) const {
    const std::uint64_t late = end > ready_us_ ? end - ready_us_ : 0;
    return missing - missing * std::min(late, kWindowUs) / kWindowUs;
  }

  void line(std::string_view text) {
    if (text.empty()) fail("empty line");
    if (text.size() > 8192) fail("line longer than 8192 bytes");
    if (text[0] == '#') return;
    if (text.size() < 2 || text[1] != '\t') fail("unknown line; expected F, O, R, S or E");
    switch (text[0]) {
      case 'F': {
        const auto f = fields<6>(text);
        if (number(f[1], "file", sizes_.size() + 1) != sizes_.size()) {
          fail("files are not numbered 0, 1, 2, ...");
        }
        check_path(f[5]);
        sizes_.push_back(number(f[2], "size", kMaxFileSize));
        trace_.selection.files.emplace_back(f[5]);
        trace_.files.push_back({sizes_.back(), std::string(f[3])});
        break;
      }
      case 'O': {
        const auto f = fields<3>(text);
        number(f[1], "time", UINT64_MAX);
        known_file(f[2]);
        ++trace_.opens;
        break;
      }
      case 'R': {
        const auto f = fields<5>(text);
        number(f[1], "time", UINT64_MAX);
        const std::size_t file = known_file(f[2]);
        const std::uint64_t end_page = (sizes_[file] + kPage - 1) / kPage;
        const std::uint64_t first = number(f[3], "page", end_page);
        const std::uint64_t pages = number(f[4], "number of pages", end_page - first + 1);
        if (pages == 0) fail("run of no page");
        trace_.selection.runs.push_back({trace_.selection.files[file],
                                         static_cast<std::uint32_t>(first),
                                         static_cast<std::uint32_t>(pages)});
        trace_.pages_touched += pages;
        break;
      }
      case 'S': {
        const auto f = fields<4>(text);
        const std::uint64_t end = number(f[1], "time", UINT64_MAX);
        const std::uint64_t missing = number(f[3], "look-ups missing", 1u << 30);
        trace_.lookups_found += number(f[2], "look-ups found", 1u << 30);
        trace_.lookups_missing += missing;
        trace_.missing_until_ready += until_ready(end, missing);
        break;
      }
      case 'E':
        number(fields<3>(text)[1], "time", UINT64_MAX);
        break;
      default:
        fail("unknown line; expected F, O, R, S or E");
    }
  }

  fs::path file_;
  std::size_t line_ = 1;
  LaunchTrace trace_;
  std::uint64_t ready_us_ = UINT64_MAX;
  std::vector<std::uint64_t> sizes_;
};

}  // namespace

LaunchTrace read_trace(const fs::path& file) {
  const std::string text =
      read_gzip(file, kMaxText, "launch trace", "record it with `missive-sim trace`");
  return Parser(file).parse(text);
}

}  // namespace missive::launch
