#include "harness/structure_edits.h"

#include <algorithm>
#include <charconv>
#include <string_view>

#include <fmt/format.h>

#include "models/error.h"
#include "real/data_dir.h"
#include "real/gzip.h"

namespace missive::harness {

namespace {

constexpr std::string_view kHeader = "# missive-sim/edits/2 page=4096 digest=sha256/64 zeros=no";
constexpr std::size_t kMaxText = std::size_t{64} << 20U, kMaxPages = std::size_t{1} << 24U;

// Cuts the text up to `end` off its front.
std::string_view cut(std::string_view& text, char end) {
  const std::string_view front = text.substr(0, text.find(end));
  text.remove_prefix(std::min(text.size(), front.size() + 1));
  return front;
}

bool number(std::string_view text, std::uint64_t& value, int base) {
  const auto r = std::from_chars(text.data(), text.data() + text.size(), value, base);
  return r.ec == std::errc() && r.ptr == text.data() + text.size();
}

bool parse(std::string_view line, EditProfile& p) {
  if (!number(cut(line, '\t'), p.content, 16) || !number(cut(line, '\t'), p.old_content, 16))
    return false;
  const std::string_view kind = cut(line, '\t');
  if (kind != "same" && kind != "resized") return false;
  p.resized = kind == "resized";
  for (bool kept = true; !line.empty(); kept = !kept) {
    std::uint64_t pages = 0;
    if (!number(cut(line, ','), pages, 10) || pages > kMaxPages - p.kept.size()) return false;
    p.kept.insert(p.kept.end(), pages, kept);
  }
  return !p.kept.empty();
}

}  // namespace

std::string edits_text(const std::vector<EditProfile>& profiles) {
  std::string text = std::string(kHeader) + "\n";
  for (const EditProfile& p : profiles) {
    text += fmt::format("{:016x}\t{:016x}\t{}\t", p.content, p.old_content,
                        p.resized ? "resized" : "same");
    std::vector<std::size_t> runs{0};  // kept, not kept, kept, ...
    for (const bool kept : p.kept) {
      if (kept != (runs.size() % 2 == 1)) runs.push_back(0);
      ++runs.back();
    }
    text += fmt::format("{}\n", fmt::join(runs, ","));
  }
  return text;
}

std::vector<EditProfile> read_edits(const std::filesystem::path& file) {
  const std::string all = read_gzip(file, kMaxText, "list of edits",
                                    "make it with `missive-sim experiments/update-coverage.json`");
  std::string_view text = all;
  std::vector<EditProfile> profiles;
  if (cut(text, '\n') != kHeader)
    throw InputError(
        fmt::format("{}:1: not a list of edits; it begins with \"{}\"", file.string(), kHeader));
  for (std::size_t line = 2; !text.empty(); ++line)
    if (!parse(cut(text, '\n'), profiles.emplace_back()))
      throw InputError(
          fmt::format("{}:{}: not a line of two digests, same or resized, and runs of "
                      "pages; see traces/README.md",
                      file.string(), line));
  return profiles;
}

std::filesystem::path recorded_edits() {
  return data_dir() / "traces" / "updates" / "security.edits.gz";
}

}  // namespace missive::harness
