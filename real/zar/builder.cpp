#include "real/zar/builder.h"

#include <chrono>

#include "models/error.h"
#include "real/zar/content_writer.h"
#include "real/zar/output_file.h"
#include "real/zar/plan.h"
#include "real/zar/scan.h"

namespace missive::zar {

namespace {

class Stopwatch {
 public:
  double lap() {
    const auto now = std::chrono::steady_clock::now();
    const double s = std::chrono::duration<double>(now - last_).count();
    last_ = now;
    return s;
  }

 private:
  std::chrono::steady_clock::time_point last_ = std::chrono::steady_clock::now();
};

void count_entries(const Tree& tree, const Plan& plan, BuildReport& report) {
  for (const std::uint32_t i : plan.order) {
    const EntryKind kind = tree.entries()[i].kind;
    ++(kind == EntryKind::file        ? report.files
       : kind == EntryKind::directory ? report.directories
                                      : report.symlinks);
  }
  report.left_out = tree.left_out();
  report.content_bytes = plan.content_bytes;
  report.metadata_bytes = plan.metadata_bytes;
  report.padding_bytes = plan.end - plan.content_bytes - plan.metadata_bytes;
  report.scrap_items = plan.placed.scrap_items;
  report.scrap_bytes = plan.placed.scrap_bytes;
}

}  // namespace

BuildReport build(const std::filesystem::path& tree_path, const Selection& selection,
                  const BuildOptions& options, const std::filesystem::path& output) {
  check(options);
  BuildReport report;
  Stopwatch watch;
  Tree tree(tree_path);
  report.scan_s = watch.lap();
  Plan plan = choose(tree, selection, options, report.missing);
  if (choose(placements(), "placement", options.placement).wants_digests)
    plan.digests = item_digests(tree, options, plan);
  lay_out(tree, options, plan);
  check(shape_of(options, plan.end), "image of " + tree_path.string());
  report.plan_s = watch.lap();

  OutputFile out(output, 0644);
  report.recipe = write_image(tree, options, plan, out);
  out.commit();
  report.name = report.recipe.name();
  report.write_s = watch.lap();
  count_entries(tree, plan, report);
  return report;
}

}  // namespace missive::zar
