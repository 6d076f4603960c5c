#include "harness/structure_table.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>

#include <fmt/format.h>

#include "harness/report/answers.h"
#include "harness/structure_cells.h"
#include "harness/structure_compare.h"
#include "harness/structure_experiment.h"
#include "harness/structure_summary.h"
#include "harness/table.h"
#include "models/statistics.h"

namespace missive::harness {

namespace {

// Which numbers a question is about, and which of them is to be small.
struct Question {
  const char* name;
  const char* asked;
  std::vector<std::pair<const char*, const char*>> columns;  // metric, heading
  const char* least;
  const char* answer;
};

const Question& question(const std::string& name) {
  static const std::vector<Question> all = {
      {"block-size",
       "Which block size?",
       {{"metadata", "metadata"},
        {"padding", "padding"},
        {"recipe", "recipe"},
        {"network", "to fetch"},
        {"cost", "fetch+recipe"}},
       "cost",
       "fewest bytes to fetch with the recipe"},
      {"packing",
       "Which packing of small files?",
       {{"padding", "padding"},
        {"image", "image"},
        {"recipe", "recipe"},
        {"start_blocks", "start blocks"}},
       "padding",
       "least padding"},
      {"degree",
       "Which degree of the tree?",
       {{"recipe", "recipe"},
        {"tree", "inner nodes"},
        {"proof", "one block"},
        {"start_proof", "start's blocks"}},
       "start_proof",
       "smallest proof of what a start fetches"},
      {"placement",
       "Which placement?",
       {{"padding", "padding"},
        {"scrap_items", "scrap"},
        {"network", "to fetch"},
        {"copied", "to copy"}},
       "copied",
       "fewest bytes to copy"},
      {"update",
       "Which units and block size for updates?",
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

  Answer answer() const {
    Answer a;
    a.question = question_.asked;
    a.metrics = {question_.least};
    for (const auto& [metric, title] : question_.columns) a.metrics.emplace_back(metric);
    a.words = words();
    std::vector<Cost> costs;
    for_each_image([&](const std::string& image, std::size_t begin, std::size_t end) {
      const auto least = least_of(begin, end);
      if (!least) return;
      const double value = *best_of(find_metric(result_.points[*least], question_.least));
      const std::size_t first = costs.size();
      for (std::size_t i = begin; i < end; ++i)
        if (const auto v = best_of(find_metric(result_.points[i], question_.least)))
          costs.push_back({image, design(i), *v, ratio_of(*v, value)});
      const auto worst = most_of(costs.begin() + static_cast<std::ptrdiff_t>(first), costs.end());
      a.sentences.push_back(fmt::format(
          "{}: {} ({}){}.", image, design(*least), amount(value, "B"),
          worst->ratio > 1 ? "; " + worst->design + " costs " + more(worst->ratio) : ""));
    });
    if (costs.empty()) return a;
    find_nearest(costs, a);
    if (costs.size() > a.sentences.size()) a.plot = plot_of(costs);
    return a;
  }

  std::string text() const {
    std::string out = result_.description + "\n";
    for_each_image([&](const std::string& image, std::size_t begin, std::size_t end) {
      out += one_image(image, begin, end);
    });
    return out + structure_summary(result_, settings_);
  }

 private:
  struct Cost {
    std::string image, design;
    double value = 0, ratio = 1;  // to the best of the same image
  };

  static std::vector<Cost>::const_iterator most_of(std::vector<Cost>::const_iterator begin,
                                                   std::vector<Cost>::const_iterator end) {
    return std::max_element(begin, end,
                            [](const Cost& a, const Cost& b) { return a.ratio < b.ratio; });
  }

  static double ratio_of(double value, double least) {
    if (least > 0) return value / least;
    return value > 0 ? std::numeric_limits<double>::infinity() : 1;
  }

  // "3.4 % more", "5.2 times as much": than the least.
  static std::string more(double ratio) {
    if (std::isinf(ratio)) return "something where the best costs nothing";
    return ratio < 2 ? fmt::format("{:.1f} % more", (ratio - 1) * 100)
                     : fmt::format("{:.1f} times as much", ratio);
  }

  // The design that is nearest to the best of each image, by the geometric mean of the ratios.
  void find_nearest(const std::vector<Cost>& costs, Answer& a) const {
    struct Mean {
      std::string design;
      double logs = 0, n = 0;
      double ratio() const { return std::exp(logs / n); }
    };
    std::vector<Mean> means;
    for (const Cost& c : costs) {
      auto known = std::find_if(means.begin(), means.end(),
                                [&](const Mean& one) { return one.design == c.design; });
      if (known == means.end()) known = means.insert(means.end(), {c.design});
      known->logs += std::log(c.ratio);
      known->n += 1;
    }
    const auto nearest =
        std::min_element(means.begin(), means.end(),
                         [](const Mean& x, const Mean& y) { return x.ratio() < y.ratio(); });
    const double ratio = nearest->ratio();
    a.answer = nearest->design;
    a.detail = question_.answer;
    if (ratio <= 1)
      a.detail += ", for every image";
    else if (std::isfinite(ratio))
      a.detail +=
          fmt::format(": nearest to the best of each image, in the geometric mean {}", more(ratio));
    const auto worst = most_of(costs.begin(), costs.end());
    if (worst->ratio > 1)
      a.detail +=
          fmt::format("; {} costs {} ({})", worst->design, more(worst->ratio), worst->image);
  }

  AnswerPlot plot_of(const std::vector<Cost>& costs) const {
    const bool wide = most_of(costs.begin(), costs.end())->ratio > 3;
    AnswerPlot plot;
    plot.title = question_.asked;
    plot.caption =
        wide ? "Bytes that decide, for each image and design; nothing where they are none."
             : fmt::format(
                   "What a design costs more than the best one for the same image: 0 % is "
                   "the {}.",
                   question_.answer);
    plot.x_title = "design";
    plot.y_title = wide ? question_.answer : "more than the best";
    plot.unit = wide ? "B" : "%";
    plot.logarithmic = wide;
    for (const Cost& c : costs)
      plot.points.push_back(
          {c.image, c.design, wide ? c.value : c.ratio - 1, amount(c.value, "B")});
    return plot;
  }

  static std::vector<Term> words() {
    return {{"image", "TREE, or FROM>TO: the image of TO for a client that holds that of FROM"},
            {"content, metadata, padding",
             "bytes of the files, of the image's own directory, and wasted up to the end of pages "
             "and blocks; the image is their sum"},
            {"recipe",
             "the list of the units' digests, which a client has to have before it can ask "
             "for anything"},
            {"tree, proof, start_proof",
             "inner nodes of the Merkle tree; what proves one block; what proves the blocks that a "
             "start touches"},
            {"network, to fetch", "bytes of units that the client has not"},
            {"scrap", "files that found no place where placement wanted them"},
            {"copied, to copy", "bytes that the client has, but elsewhere in its old image"},
            {"cost, fetch+recipe", "bytes to fetch, with the recipe"},
            {"strangers, seen, told",
             "predictions: from files that the image does not have; with what files that it shares "
             "with other applications went through there; told what was counted at one block size"},
            {"blocks, cdc, strings",
             "kinds of units: blocks of fixed size; content-defined chunks of a file; whole pieces "
             "of content (a large file, or a bundle of small ones)"}};
  }

  // An image has its points in a row, [begin, end).
  template <typename Visit>
  void for_each_image(const Visit& visit) const {
    for (std::size_t i = 0; i < settings_.points.size();) {
      const auto image = settings_.points[i].parameters.at("image").get<std::string>();
      std::size_t end = i;
      while (end < settings_.points.size() &&
             settings_.points[end].parameters.at("image").get<std::string>() == image)
        ++end;
      visit(image, i, end);
      i = end;
    }
  }

  // The first that has the least of what is to be small.
  std::optional<std::size_t> least_of(std::size_t begin, std::size_t end) const {
    std::optional<std::size_t> least;
    double value = std::numeric_limits<double>::infinity();
    for (std::size_t i = begin; i < end; ++i)
      if (const auto v = best_of(find_metric(result_.points[i], question_.least)); v && *v < value)
        value = *v, least = i;
    return least;
  }

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

  // What to fetch is predicted more than once: each with its error bars.
  std::vector<std::string> further(std::size_t begin, std::size_t end) const {
    std::vector<std::string> found;
    for (const std::string_view one : kFurther) {
      const std::string name = "network" + std::string(one);
      for (std::size_t i = begin; i < end; ++i)
        if (find_metric(result_.points[i], name) != nullptr) {
          found.push_back(name);
          break;
        }
    }
    if (!found.empty()) found.insert(found.begin(), "network");
    return found;
  }

  std::string one_image(const std::string& image, std::size_t begin, std::size_t end) const {
    std::vector<std::string> heading{
        image + (settings_.fitted(settings_.points[begin]) ? " (fitted on)" : "")};
    const std::vector<std::string> predictions = further(begin, end);
    for (const auto& [metric, title] : question_.columns) heading.emplace_back(title);
    for (const std::string& one : predictions)
      heading.emplace_back(one == "network" ? "fetch: strangers" : one.substr(one.find('_') + 1));
    Table table(heading);
    for (std::size_t i = begin; i < end; ++i) {
      std::vector<std::string> row{design(i)};
      const auto metric_of = [&](const std::string& name) {
        return find_metric(result_.points[i], name);
      };
      for (const auto& [metric, title] : question_.columns)
        row.push_back(structure_cell(metric_of(metric), settings_.tolerance));
      for (const std::string& one : predictions)
        row.push_back(prediction_cell(metric_of(one), settings_.tolerance));
      table.add(row);
    }
    const auto least = least_of(begin, end);
    if (!least) return fmt::format("\n{}: no number\n", image);
    const double value = *best_of(find_metric(result_.points[*least], question_.least));
    return "\n" + table.text("  ") +
           fmt::format("  => {}: {} ({})\n", question_.answer, design(*least), amount(value, "B"));
  }

  const Result& result_;
  const StructureSettings& settings_;
  const Question& question_;
  std::vector<std::string> axes_;
};

}  // namespace

Answer structure_answer(const Result& result, const Experiment& experiment) {
  return StructureTable(result, experiment).answer();
}

std::string structure_table(const Result& result, const Experiment& experiment) {
  return StructureTable(result, experiment).text();
}

}  // namespace missive::harness
