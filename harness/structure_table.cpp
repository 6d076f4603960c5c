#include "harness/structure_table.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>

#include <fmt/format.h>

#include "harness/structure_experiment.h"
#include "harness/table.h"

namespace missive::harness {

namespace {

// Which numbers a question is about, and which of them is to be small.
struct Question {
  const char* name;
  std::vector<std::pair<const char*, const char*>> columns;  // metric, heading
  const char* least;
  const char* answer;
};

const Question& question(const std::string& name) {
  static const std::vector<Question> all = {
      {"block-size",
       {{"metadata", "metadata"},
        {"padding", "padding"},
        {"recipe", "recipe"},
        {"network", "to fetch"},
        {"cost", "fetch+recipe"}},
       "cost",
       "fewest bytes to fetch with the recipe"},
      {"packing",
       {{"padding", "padding"},
        {"image", "image"},
        {"recipe", "recipe"},
        {"start_blocks", "start blocks"}},
       "padding",
       "least padding"},
      {"degree",
       {{"recipe", "recipe"},
        {"tree", "inner nodes"},
        {"proof", "one block"},
        {"start_proof", "start's blocks"}},
       "start_proof",
       "smallest proof of what a start fetches"},
      {"placement",
       {{"padding", "padding"},
        {"scrap_items", "scrap"},
        {"network", "to fetch"},
        {"copied", "to copy"}},
       "copied",
       "fewest bytes to copy"},
      {"update",
       {{"units", "units"},
        {"recipe", "recipe"},
        {"network", "to fetch"},
        {"copied", "to copy"},
        {"cost", "fetch+recipe"}},
       "cost",
       "fewest bytes to fetch with the recipe"},
  };
  return *std::find_if(all.begin(), all.end(), [&](const Question& q) { return name == q.name; });
}

const Metric* find(const PointResult& point, const std::string& name) {
  for (const Metric& m : point.metrics)
    if (m.name == name) return &m;
  return nullptr;
}

std::optional<double> best(const Metric* m) {
  if (m == nullptr) return std::nullopt;
  return m->measured ? std::optional(m->measured->median) : m->simulated;
}

std::string amount(double value, const std::string& unit) {
  if (unit == "1") return fmt::format("{:.0f}", value);
  if (value < 10 * 1024) return fmt::format("{:.0f} B", value);
  if (value < 1024 * 1024) return fmt::format("{:.1f} KiB", value / 1024);
  return fmt::format("{:.2f} MiB", value / (1024 * 1024));
}

// "12.5 MiB =" equal as predicted, "12.5 MiB +1.2%" the prediction's error, "!" when not kept.
std::string cell(const Metric* m) {
  const auto value = best(m);
  if (!value) return "-";
  std::string text = amount(*value, m->unit);
  if (!m->measured) return text + " (model)";
  if (!m->simulated) return text;
  if (m->note == "exact") return text + (*m->within_tolerance ? " =" : " !=");
  if (m->relative_error) text += fmt::format(" {:+.1f}%", *m->relative_error * 100);
  return text + (m->within_tolerance == false ? "!" : "");
}

class StructureTable {
 public:
  StructureTable(const Result& result, const Experiment& e)
      : result_(result), settings_(structure_settings(e)), question_(question(settings_.question)) {
    for (const char* axis : {"block_size", "packing", "placement", "units", "degree"}) {
      std::set<std::string> values;
      for (const auto& p : settings_.points) values.insert(p.parameters.at(axis).dump());
      if (values.size() > 1) axes_.emplace_back(axis);
    }
  }

  std::string text() const {
    std::string out = result_.description + "\n";
    for (std::size_t i = 0; i < settings_.points.size();) {
      const auto image = settings_.points[i].parameters.at("image").get<std::string>();
      std::size_t end = i;
      while (end < settings_.points.size() &&
             settings_.points[end].parameters.at("image").get<std::string>() == image)
        ++end;
      out += one_image(image, i, end);
      i = end;
    }
    return out + summary();
  }

 private:
  std::string design(std::size_t i) const {
    std::string text;
    for (const std::string& axis : axes_) {
      const Json& v = settings_.points[i].parameters[axis];
      if (!text.empty()) text += ' ';
      text += axis == "block_size" ? to_string(Bytes{v.get<std::uint64_t>()})
              : v.is_string()      ? v.get<std::string>()
                                   : v.dump();
    }
    return text.empty() ? "the one" : text;
  }

  std::string one_image(const std::string& image, std::size_t begin, std::size_t end) const {
    std::vector<std::string> heading{image};
    for (const auto& [metric, title] : question_.columns) heading.emplace_back(title);
    Table table(heading);
    std::size_t least = end;
    double value = std::numeric_limits<double>::infinity();
    for (std::size_t i = begin; i < end; ++i) {
      std::vector<std::string> row{design(i)};
      for (const auto& [metric, title] : question_.columns)
        row.push_back(cell(find(result_.points[i], metric)));
      table.add(row);
      if (const auto v = best(find(result_.points[i], question_.least)); v && *v < value)
        value = *v, least = i;
    }
    if (least == end) return fmt::format("\n{}: no number\n", image);
    return "\n" + table.text("  ") +
           fmt::format("  => {}: {} ({})\n", question_.answer, design(least), amount(value, "B"));
  }

  std::string summary() const {
    const Summary& s = result_.summary;
    std::string out =
        "\nnumbers are counted; = equal to the prediction, % error of an expectation, "
        "! outside the tolerance\n";
    if (s.amounts_equal)
      out += fmt::format("exact    {}\n", *s.amounts_equal ? "all equal" : "NOT equal:");
    for (std::size_t i = 0; i < std::min<std::size_t>(5, s.amount_differences.size()); ++i)
      out += "  " + s.amount_differences[i] + "\n";
    if (s.median_abs_relative_error)
      out += fmt::format(
          "expected {} numbers: error median {:.1f}%, 90th percentile {:.1f}%, largest {:.1f}% "
          "(allowed {:.0f}% for {:.0f}% of them): {}\n",
          s.compared, *s.median_abs_relative_error * 100, *s.p90_abs_relative_error * 100,
          *s.max_abs_relative_error * 100, settings_.tolerance * 100, settings_.share * 100,
          *s.within_tolerance ? "within tolerance" : "not within tolerance");
    for (const std::string& line : s.not_available) out += "not here " + line + "\n";
    for (const std::string& line : s.failures) out += "failed   " + line + "\n";
    if (s.interrupted) out += "interrupted: what was counted until then\n";
    return out;
  }

  const Result& result_;
  const StructureSettings& settings_;
  const Question& question_;
  std::vector<std::string> axes_;
};

}  // namespace

std::string structure_table(const Result& result, const Experiment& experiment) {
  return StructureTable(result, experiment).text();
}

}  // namespace missive::harness
