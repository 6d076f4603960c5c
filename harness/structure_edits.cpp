#include "harness/structure_edits.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <string_view>

#include <fmt/format.h>

#include "models/error.h"
#include "real/data_dir.h"
#include "real/gzip.h"

namespace missive::harness {

namespace {

constexpr std::string_view kHeader = "# missive-sim/edits/5 page=4096 digest=sha256/64 zeros=no";
constexpr std::array<std::string_view, 3> kKinds = {"same", "alone", "resized"};  // as EditKind
constexpr std::size_t kMaxText = std::size_t{64} << 20U, kMaxPages = std::size_t{1} << 24U,
                      kMaxImages = 1024;

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

bool parse_runs(std::string_view runs, EditProfile& p) {
  for (bool kept = true; !runs.empty(); kept = !kept) {
    std::uint64_t pages = 0;
    if (!number(cut(runs, ','), pages, 10) || pages > kMaxPages - p.kept.size()) return false;
    p.kept.insert(p.kept.end(), pages, kept);
  }
  return !p.kept.empty();
}

// FIRST:PAGES:BY, ...
bool parse_moves(std::string_view moves, EditProfile& p) {
  if (moves == "-") return true;
  p.moved.assign(p.kept.size(), 0);
  while (!moves.empty()) {
    std::string_view move = cut(moves, ',');
    std::uint64_t first = 0, pages = 0, by = 0;
    if (!number(cut(move, ':'), first, 10) || !number(cut(move, ':'), pages, 10)) return false;
    const bool forward = move.starts_with('-');
    if (!number(move.substr(forward ? 1 : 0), by, 10) || by == 0 || by > kMaxPages) return false;
    if (pages == 0 || pages > p.kept.size() || first > p.kept.size() - pages) return false;
    const auto signed_by = static_cast<std::int32_t>(by);
    std::fill_n(p.moved.begin() + static_cast<std::ptrdiff_t>(first), pages,
                forward ? -signed_by : signed_by);
  }
  return true;
}

bool parse(std::string_view line, const std::vector<std::string>& images, RecordedEdit& e) {
  EditProfile& p = e.edit;
  if (!number(cut(line, '\t'), p.content, 16) || !number(cut(line, '\t'), p.old_content, 16))
    return false;
  const std::string_view kind = cut(line, '\t');
  const auto known = std::find(kKinds.begin(), kKinds.end(), kind);
  if (known == kKinds.end()) return false;
  p.kind = static_cast<EditKind>(known - kKinds.begin());
  if (!number(cut(line, '\t'), p.build, 16)) return false;
  if (!parse_runs(cut(line, '\t'), p) || !parse_moves(cut(line, '\t'), p)) return false;
  while (!line.empty()) {
    std::uint64_t image = 0;
    if (!number(cut(line, ','), image, 10) || image >= images.size()) return false;
    e.images.insert(images[image]);
  }
  return !e.images.empty();
}

std::vector<std::size_t> runs_of(const std::vector<bool>& pages) {
  std::vector<std::size_t> runs{0};  // kept, not kept, kept, ...
  for (const bool kept : pages) {
    if (kept != (runs.size() % 2 == 1)) runs.push_back(0);
    ++runs.back();
  }
  return runs;
}

std::string moves_of(const std::vector<std::int32_t>& moved) {
  std::string text;
  for (std::size_t first = 0; first < moved.size();) {
    std::size_t end = first + 1;
    while (end < moved.size() && moved[end] == moved[first]) ++end;
    if (moved[first] != 0)
      text += fmt::format("{}{}:{}:{}", text.empty() ? "" : ",", first, end - first, moved[first]);
    first = end;
  }
  return text.empty() ? "-" : text;
}

}  // namespace

void RecordedEdits::add(const EditProfile& edit, const std::set<std::string>& images) {
  RecordedEdit& known = edits_.try_emplace({edit.content, edit.old_content}).first->second;
  if (known.images.empty()) known.edit = edit;
  // Others of its build may be in one image, and not in another.
  if (edit.kind == EditKind::same) known.edit.kind = EditKind::same;
  known.images.insert(images.begin(), images.end());
}

std::vector<EditProfile> RecordedEdits::all() const {
  std::vector<EditProfile> found;
  for (const auto& [contents, e] : edits_) found.push_back(e.edit);
  return found;
}

std::vector<EditProfile> RecordedEdits::elsewhere(const std::string& image) const {
  const std::string own = application_of(image);
  std::vector<EditProfile> found;
  for (const auto& [contents, e] : edits_)
    if (std::any_of(e.images.begin(), e.images.end(),
                    [&](const std::string& other) { return application_of(other) != own; }))
      found.push_back(e.edit);
  return found;
}

std::string RecordedEdits::text() const {
  std::map<std::string, std::size_t> numbers;
  for (const auto& [contents, e] : edits_)
    for (const std::string& image : e.images) numbers.emplace(image, 0);
  std::string text = std::string(kHeader) + "\n";
  std::size_t next = 0;
  for (auto& [image, number] : numbers) {
    number = next++;
    text += fmt::format("I\t{}\n", image);
  }
  for (const auto& [contents, e] : edits_) {
    std::vector<std::size_t> images;
    for (const std::string& image : e.images) images.push_back(numbers.at(image));
    text += fmt::format("{:016x}\t{:016x}\t{}\t{:016x}\t{}\t{}\t{}\n", e.edit.content,
                        e.edit.old_content, kKinds.at(static_cast<std::size_t>(e.edit.kind)),
                        e.edit.build, fmt::join(runs_of(e.edit.kept), ","), moves_of(e.edit.moved),
                        fmt::join(images, ","));
  }
  return text;
}

std::vector<RecordedEdit> read_edits(const std::filesystem::path& file) {
  const std::string all = read_gzip(file, kMaxText, "list of edits",
                                    "make it with `missive-sim experiments/update-coverage.json "
                                    "--set /fit_recorded=false`");
  std::string_view text = all;
  if (cut(text, '\n') != kHeader)
    throw InputError(
        fmt::format("{}:1: not a list of edits; it begins with \"{}\"", file.string(), kHeader));
  std::vector<std::string> images;
  std::vector<RecordedEdit> edits;
  for (std::size_t line = 2; !text.empty(); ++line) {
    std::string_view one = cut(text, '\n');
    if (edits.empty() && one.starts_with("I\t") && images.size() < kMaxImages)
      images.emplace_back(one.substr(2));
    else if (!parse(one, images, edits.emplace_back()))
      throw InputError(
          fmt::format("{}:{}: not a line of two digests, a kind of edit, a build, runs of pages, "
                      "moves, and numbers of images; see traces/README.md",
                      file.string(), line));
  }
  return edits;
}

std::filesystem::path recorded_edits() {
  return data_dir() / "traces" / "updates" / "security.edits.gz";
}

std::string application_of(const std::string& image) {
  const std::string to = image.substr(image.find('>') + 1);  // all of it where there is no arrow
  return to.substr(0, to.find_first_of("@~"));
}

}  // namespace missive::harness
