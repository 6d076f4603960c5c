#include "harness/resume.h"

#include <algorithm>
#include <chrono>
#include <filesystem>

#include <fmt/format.h>

#include "harness/merge.h"
#include "harness/progress.h"
#include "harness/result_files.h"
#include "harness/result_reader.h"
#include "harness/shard.h"

namespace missive::harness {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kPointSchema = "missive-sim/point/1";

fs::path folder_of(const OutputDir& out) { return out.path() / "points"; }

void write_point(const OutputDir& out, const Part& part, const PointResult& point) {
  Result one = part.result;
  one.points = {point};
  std::erase_if(one.observations, [&](const ObservationRow& row) { return row.point != point.id; });
  const Json json{
      {"schema", kPointSchema}, {"result", to_json(one)}, {"observations", observations_csv(one)}};
  write_atomically(folder_of(out) / (point.id + ".json"),
                   json.dump(-1, ' ', false, Json::error_handler_t::replace) + '\n');
}

Part read_point(const fs::path& file) {
  const JsonSource source = JsonSource::read(file);
  const Json& json = source.document();
  if (!json.is_object() || json.value("schema", std::string{}) != kPointSchema ||
      !json.contains("result") || !json.contains("observations") ||
      !json["observations"].is_string())
    throw InputError(file.string() + ": is no finished point of this program; remove it");
  Part part{file.string(), result_from_json(json["result"], file.string())};
  parse_observations(json["observations"].get<std::string>(), file.string(), part.result);
  return part;
}

class ResumableRun {
 public:
  ResumableRun(const Experiment& e, const OutputDir& out, const ResumeOptions& options)
      : e_(e), out_(out), options_(options) {
    if (experiment_kind(e.kind).keep == nullptr) keep_points(probe_ = e, {});  // says why not
  }

  Result run() {
    if (options_.resume)
      take_finished();
    else
      remove_points(out_);
    while (!interrupted_) {
      const std::vector<std::size_t> places = next_places();
      if (places.empty()) break;
      run_places(places);
    }
    Result all = combine(e_, parts_);
    all.summary.interrupted |= interrupted_;
    return all;
  }

 private:
  void take_finished() {
    Part now{"this run", empty_result(e_)};
    now.result.context = options_.context;
    std::error_code error;
    if (fs::exists(out_.path() / "result.json", error)) {
      Part part{(out_.path() / "result.json").string(), read_result(out_.path())};
      if (!part.result.summary.interrupted) {
        read_observations(out_.path(), part.result);
        take(now, std::move(part));
      }
    }
    std::vector<fs::path> files;
    for (const auto& entry : fs::directory_iterator(folder_of(out_), error))
      if (entry.path().extension() == ".json") files.push_back(entry.path());
    std::sort(files.begin(), files.end());
    for (const fs::path& file : files) take(now, read_point(file));
  }

  void take(const Part& now, Part part) {
    check_same_configuration(now, part);
    if (!parts_.empty()) check_same_configuration(parts_.front(), part);
    parts_.push_back(std::move(part));
  }

  bool finished(const std::string& id) const {
    return std::any_of(parts_.begin(), parts_.end(), [&](const Part& part) {
      return std::any_of(part.result.points.begin(), part.result.points.end(),
                         [&](const PointResult& point) { return point.id == id; });
    });
  }

  // Simulated points in portions: one by one where each takes long, many where they are quick.
  std::vector<std::size_t> next_places() {
    const std::size_t most = e_.backend == Backend::sim ? portion_ : e_.grid.size();
    std::vector<std::size_t> places;
    for (; next_ < e_.grid.size() && places.size() < most; ++next_)
      if (!finished(e_.grid[next_].id)) places.push_back(next_);
    return places;
  }

  void run_places(const std::vector<std::size_t>& places) {
    if (options_.run.progress)
      options_.run.progress->update(places.front(), e_.grid.size(), "points");
    Experiment some = e_;
    keep_points(some, places);
    const auto start = std::chrono::steady_clock::now();
    Part part{"this run", experiment_kind(e_.kind).run(some, options_.run)};
    Json context = options_.context;
    context.update(part.result.context);
    part.result.context = std::move(context);
    interrupted_ = part.result.summary.interrupted;
    if (!parts_.empty()) check_same_configuration(parts_.front(), part);
    if (!interrupted_)
      for (const PointResult& point : part.result.points) write_point(out_, part, point);
    parts_.push_back(std::move(part));
    if (std::chrono::steady_clock::now() - start < std::chrono::milliseconds(250))
      portion_ = std::min<std::size_t>(portion_ * 2, 64);
  }

  const Experiment& e_;
  const OutputDir& out_;
  const ResumeOptions& options_;
  Experiment probe_;
  std::vector<Part> parts_;
  std::size_t next_ = 0;
  std::size_t portion_ = static_cast<std::size_t>(std::max(1, options_.run.jobs));
  bool interrupted_ = false;
};

}  // namespace

Result run_resumable(const Experiment& e, const OutputDir& out, const ResumeOptions& options) {
  return ResumableRun(e, out, options).run();
}

void remove_points(const OutputDir& out) {
  std::error_code error;
  fs::remove_all(folder_of(out), error);
  if (error)
    throw RunError(fmt::format("{}: cannot be removed: {}; remove it by hand",
                               folder_of(out).string(), error.message()));
}

}  // namespace missive::harness
