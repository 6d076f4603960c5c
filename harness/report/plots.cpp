#include "harness/report/plots.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "harness/report/plot_parts.h"
#include "models/statistics.h"

namespace missive::harness {

Json waterfall_plot(const std::vector<WaterfallRow>& rows, double longest) {
  Json values = Json::array();
  for (const WaterfallRow& row : rows)
    values.push_back(Json{{"phase", row.phase},
                          {"world", row.world},
                          {"start", row.start},
                          {"end", row.end},
                          {"part", row.part},
                          {"text", row.text}});
  Json spec = specification("Waterfall: when each phase of the launch runs, in both worlds");
  spec["height"] =
      28 * order_of(rows, [](const WaterfallRow& row) { return row.phase; }).size() + 4;
  spec["data"] = Json{{"values", std::move(values)}};
  Json y{{"field", "phase"}, {"type", "nominal"}, {"title", nullptr}};
  y["sort"] = order_of(rows, [](const WaterfallRow& row) { return row.phase; });
  // Parts of a phase are set in below it: "boot", "   of it: start".
  y["axis"] =
      Json{{"grid", true},
           {"domain", false},
           {"ticks", false},
           {"tickBand", "extent"},
           {"labelAlign", "left"},
           {"labelPadding", 118},
           {"labelExpr",
            "indexof(datum.label, '.') > 0 ? '\u2514 of it: ' + split(datum.label, '.')[1] : "
            "datum.label"}};
  const Json offset{{"field", "world"}, {"sort", worlds()}};
  Json x{{"field", "start"}, {"type", "quantitative"}};
  // Room for the text behind the last bar.
  x["scale"] = Json{{"domain", Json::array({0, longest * 1.18})}, {"nice", false}};
  x["axis"] = value_axis("s", "since the start of the launch");
  spec["encoding"] = Json{{"y", y}, {"yOffset", offset}, {"color", world_colour()}};
  const Json tooltip = Json::array({field("phase", "nominal"), field("world", "nominal"),
                                    Json{{"field", "text"}, {"title", "time"}}});
  const Json pale{{"condition", Json{{"test", "datum.part"}, {"value", 0.45}}}, {"value", 1}};
  // A stroke of its own colour: what is too short to be seen is still a line.
  spec["layer"] = Json::array(
      {layer(
           Json{{"type", "bar"}, {"height", Json{{"band", 0.85}}}, {"minBandSize", 2}},
           Json{{"x", x}, {"x2", Json{{"field", "end"}}}, {"tooltip", tooltip}, {"opacity", pale}}),
       layer(Json{{"type", "tick"}, {"thickness", 1.5}, {"height", 9}}, Json{{"x", x}}),
       layer(Json{{"type", "text"},
                  {"align", "left"},
                  {"dx", 5},
                  {"fontSize", 10.5},
                  {"color", "@ink"}},
             Json{{"x", Json{{"field", "end"}, {"type", "quantitative"}}},
                  {"text", field("text", "nominal")},
                  {"color", Json{{"value", "@ink"}}}})});
  return spec;
}

Json scatter_plot(const std::vector<ScatterRow>& rows, double noise_floor) {
  Json values = Json::array();
  double low = std::numeric_limits<double>::max(), high = 0;
  for (const ScatterRow& row : rows) {
    low = std::min({low, row.simulated, row.measured});
    high = std::max({high, row.simulated, row.measured});
    Json value{{"point", row.point},
               {"metric", row.metric},
               {"phase", row.phase},
               {"simulated", row.simulated},
               {"measured", row.measured},
               {"text", row.text},
               {"judged", row.within ? "within tolerance" : "outside"}};
    if (row.low > 0) value["low"] = row.low;
    if (row.high > 0) value["high"] = row.high;
    values.push_back(std::move(value));
  }
  low /= 1.3;
  high *= 1.3;
  Json line = Json::array(), band = Json::array();
  for (const double at : {low, high}) {
    line.push_back(Json{{"x", at}, {"y", at}});
    band.push_back(Json{{"x", at}, {"y", at / (1 + noise_floor)}, {"y2", at * (1 + noise_floor)}});
  }
  const std::string unit = rows.empty() ? "s" : rows.front().unit;
  const Json scale{{"type", "log"}, {"domain", Json::array({low, high})}, {"nice", false}};
  Json x = field("measured", "quantitative"), y = field("simulated", "quantitative");
  x["scale"] = y["scale"] = scale;
  x["axis"] = value_axis(unit, "measured " + unit_title(unit));
  y["axis"] = value_axis(unit, "simulated " + unit_title(unit));
  x["axis"]["values"] = y["axis"]["values"] = log_ticks(low, high);
  const auto named = [&](const Json& like, const char* name) {
    Json channel = like;
    channel["field"] = name;
    return channel;
  };
  Json spec = specification("Simulated against measured; a perfect prediction lies on the line");
  spec["height"] = 380;
  Json shape{{"field", "phase"}, {"type", "nominal"}, {"title", "phase"}};
  shape["sort"] = order_of(rows, [](const ScatterRow& row) { return row.phase; });
  shape["scale"] = Json{
      {"range", Json::array({"circle", "square", "cross", "diamond", "triangle-up", "triangle-down",
                             "triangle-right", "triangle-left", "wedge", "arrow"})}};
  shape["legend"] = Json{{"orient", "bottom"}, {"columns", 4}};
  Json points{
      {"data", Json{{"values", values}}},
      {"params",
       Json::array({Json{{"name", "phase"},
                         {"select", Json{{"type", "point"}, {"fields", Json::array({"phase"})}}},
                         {"bind", "legend"}}})}};
  const Json tooltip = Json::array({field("point", "nominal"), field("metric", "nominal"),
                                    Json{{"field", "text"}, {"title", "values"}}});
  points["mark"] = Json{{"type", "point"}, {"size", 55}, {"strokeWidth", 1.6}};
  points["encoding"] = Json{
      {"x", x},
      {"y", y},
      {"shape", shape},
      {"color", Json{{"field", "judged"},
                     {"type", "nominal"},
                     {"title", nullptr},
                     {"scale", Json{{"domain", Json::array({"within tolerance", "outside"})},
                                    {"range", Json::array({"@simulated", "@bad"})}}},
                     {"legend", Json{{"orient", "top"}, {"symbolType", "square"}}}}},
      {"opacity", Json{{"condition", Json{{"param", "phase"}, {"value", 0.9}}}, {"value", 0.08}}},
      {"tooltip", tooltip}};
  spec["layer"] = Json::array(
      {layer_on(band, Json{{"type", "area"}, {"color", "@band"}, {"opacity", 0.35}},
                Json{{"x", named(x, "x")}, {"y", named(y, "y")}, {"y2", Json{{"field", "y2"}}}}),
       layer_on(line,
                Json{{"type", "line"}, {"color", "@soft"}, {"strokeDash", Json::array({5, 4})}},
                Json{{"x", named(x, "x")}, {"y", named(y, "y")}}),
       layer_on(values, Json{{"type", "rule"}, {"color", "@soft"}, {"opacity", 0.6}},
                Json{{"x", named(x, "low")}, {"x2", Json{{"field", "high"}}}, {"y", y}}),
       points});
  return spec;
}

double error_reach(const std::vector<ErrorRow>& rows, const Tolerances& allowed) {
  double widest = 0.1;
  for (const auto& [phase, limit] : allowed) widest = std::max(widest, limit * 1.2);
  for (const ErrorRow& row : rows) widest = std::max(widest, std::abs(row.error) * 1.1);
  return std::min(widest, kWidestError);
}

Json error_plot(const std::vector<ErrorRow>& rows, const Tolerances& allowed) {
  const double widest = error_reach(rows, allowed);
  const auto shown = [&](double error) { return std::clamp(error, -widest, widest); };
  Json values = Json::array(), dumb = Json::array(), middles = Json::array();
  const Json order = order_of(rows, [](const ErrorRow& row) { return row.phase; });
  for (const Json& phase : order) {
    std::vector<double> errors;
    for (const ErrorRow& row : rows)
      if (row.phase == phase) errors.push_back(shown(row.error));
    middles.push_back(Json{{"phase", phase}, {"error", median(errors)}});
  }
  for (const ErrorRow& row : rows) {
    values.push_back(Json{{"phase", row.phase},
                          {"point", row.point},
                          {"error", shown(row.error)},
                          {"exact", row.error},
                          {"judged", row.within ? "within tolerance" : "outside"}});
    if (row.baseline)
      dumb.push_back(
          Json{{"phase", row.phase}, {"point", row.point}, {"error", shown(*row.baseline)}});
  }
  Json x{{"field", "error"}, {"type", "quantitative"}};
  x["scale"] = Json{{"domain", Json::array({-widest, widest})}, {"nice", false}};
  x["axis"] = Json{{"title", "predicted too short  \xE2\x86\x90  error  \xE2\x86\x92  too long"},
                   {"format", "+.0%"},
                   {"tickCount", 7}};
  Json y{{"field", "phase"}, {"type", "nominal"}, {"title", nullptr}, {"sort", order}};
  Json spec = specification("Relative error of every judged prediction, by phase");
  spec["height"] = 28 * order.size();
  Json rules = Json::array({Json{{"error", 0}}});
  Json limits = Json::array();
  for (const auto& [phase, limit] : allowed)
    if (limit <= widest)
      for (const double side : {limit, -limit})
        limits.push_back(Json{{"phase", phase}, {"error", side}});
  const Json tooltip = Json::array(
      {field("point", "nominal"), field("phase", "nominal"),
       Json{{"field", "exact"}, {"type", "quantitative"}, {"format", "+.1%"}, {"title", "error"}}});
  const Json colour{{"field", "judged"},
                    {"type", "nominal"},
                    {"title", nullptr},
                    {"scale", Json{{"domain", Json::array({"within tolerance", "outside"})},
                                   {"range", Json::array({"@simulated", "@bad"})}}},
                    {"legend", Json{{"orient", "top"}, {"symbolType", "diamond"}}}};
  spec["layer"] = Json::array(
      {layer_on(rules, Json{{"type", "rule"}, {"color", "@soft"}}, Json{{"x", x}}),
       layer_on(limits,
                Json{{"type", "tick"}, {"color", "@soft"}, {"thickness", 1.5}, {"height", 26}},
                Json{{"x", x}, {"y", y}}),
       layer_on(dumb,
                Json{{"type", "point"},
                     {"shape", "circle"},
                     {"color", "@band"},
                     {"size", 24},
                     {"opacity", 0.75},
                     {"yOffset", 8},
                     {"clip", true}},
                Json{{"x", x}, {"y", y}}),
       layer_on(values,
                Json{{"type", "point"},
                     {"filled", true},
                     {"shape", "diamond"},
                     {"size", 60},
                     {"opacity", 0.75},
                     {"yOffset", -3}},
                Json{{"x", x}, {"y", y}, {"color", colour}, {"tooltip", tooltip}}),
       layer_on(middles,
                Json{{"type", "tick"}, {"color", "@ink"}, {"thickness", 2.5}, {"height", 20}},
                Json{{"x", x}, {"y", y}})});
  return spec;
}

Json distribution_plot(const std::vector<DistributionRow>& rows, const std::string& unit) {
  Json observed = Json::array(), summaries = Json::array(), simulated = Json::array();
  double low = std::numeric_limits<double>::max(), high = std::numeric_limits<double>::lowest();
  double lowest = low;
  const auto reach = [&](double value) {
    if (value > 0) low = std::min(low, value);
    lowest = std::min(lowest, value);
    high = std::max(high, value);
  };
  for (const DistributionRow& row : rows) {
    for (const double value : row.values) {
      observed.push_back(Json{{"label", row.label}, {"value", value}});
      reach(value);
    }
    if (row.median) {
      Json s{{"label", row.label}, {"value", *row.median}, {"world", "measured"}, {"n", row.n}};
      s["low"] = row.low.value_or(*row.median);
      s["high"] = row.high.value_or(*row.median);
      if (row.lower_quartile) s["q1"] = *row.lower_quartile;
      if (row.upper_quartile) s["q3"] = *row.upper_quartile;
      for (const char* key : {"value", "low", "high"}) reach(s[key].get<double>());
      summaries.push_back(std::move(s));
    }
    if (row.simulated) {
      simulated.push_back(
          Json{{"label", row.label}, {"value", *row.simulated}, {"world", "simulated"}});
      reach(*row.simulated);
    }
  }
  Json x{{"field", "value"}, {"type", "quantitative"}};
  x["axis"] = value_axis(unit, unit_title(unit));
  // Phases that a launch does not have take no time: on a linear scale zero has its place, on a
  // logarithmic one it has none. A mark outside the scale would push the plot out of its frame.
  const bool down_to_lowest = lowest < 0 || !wants_log(low, high);
  spread_over(x, down_to_lowest ? lowest : low, high);
  if (x["scale"]["type"] == "log") {
    const auto not_positive = [](const Json& row) { return !(row["value"].get<double>() > 0); };
    for (Json* list : {&observed, &summaries, &simulated})
      list->erase(std::remove_if(list->begin(), list->end(), not_positive), list->end());
    for (Json& row : summaries) {  // an interval that reaches zero reaches the edge
      for (const char* key : {"low", "q1"})
        if (row.contains(key)) row[key] = std::max(row[key].get<double>(), low / 1.25);
    }
  }
  Json y{{"field", "label"}, {"type", "nominal"}, {"title", nullptr}};
  y["sort"] = order_of(rows, [](const DistributionRow& row) { return row.label; });
  y["axis"] = Json{{"grid", true}, {"ticks", false}, {"domain", false}};
  const auto at = [&](const char* name) {
    Json channel = x;
    channel["field"] = name;
    return channel;
  };
  const auto tooltip = [&](bool measured) {
    Json fields =
        Json::array({Json{{"field", "label"}, {"title", "point"}}, field("world", "nominal"),
                     Json{{"field", "value"},
                          {"type", "quantitative"},
                          {"format", unit == "1" ? ".4~g" : ".4~s"},
                          {"title", measured ? "median (" + unit + ")" : unit}}});
    if (measured) fields.push_back(field("n", "quantitative"));
    return fields;
  };
  Json shape{{"field", "world"}, {"type", "nominal"}, {"title", nullptr}};
  shape["scale"] = Json{{"domain", worlds()}, {"range", Json::array({"diamond", "circle"})}};
  Json spec = specification(
      "Every observation, the quartiles, the median with its interval, and "
      "the simulated value");
  spec["height"] = (rows.size() > 16 ? 17 : 23) * rows.size() + 6;
  Json colour = world_colour();
  colour["legend"] = shape["legend"] = Json{{"orient", "top"}};
  spec["layer"] = Json::array(
      {layer_on(summaries,
                Json{{"type", "bar"}, {"height", 11}, {"color", "@measured"}, {"opacity", 0.22}},
                Json{{"x", at("q1")}, {"x2", Json{{"field", "q3"}}}, {"y", y}}),
       layer_on(observed,
                Json{{"type", "tick"},
                     {"height", 11},
                     {"thickness", 1.2},
                     {"color", "@measured"},
                     {"opacity", 0.65}},
                Json{{"x", x}, {"y", y}}),
       layer_on(summaries, Json{{"type", "rule"}, {"color", "@measured"}, {"strokeWidth", 2.2}},
                Json{{"x", at("low")}, {"x2", Json{{"field", "high"}}}, {"y", y}}),
       layer_on(summaries, Json{{"type", "point"}, {"filled", true}, {"size", 55}, {"opacity", 1}},
                Json{{"x", x},
                     {"y", y},
                     {"color", colour},
                     {"shape", shape},
                     {"tooltip", tooltip(true)}}),
       layer_on(simulated,
                Json{{"type", "point"}, {"filled", true}, {"size", 75}, {"opacity", 0.9}},
                Json{{"x", x},
                     {"y", y},
                     {"color", colour},
                     {"shape", shape},
                     {"tooltip", tooltip(false)}})});
  return spec;
}

Json cdf_plot(const std::vector<DistributionRow>& rows, const std::string& unit) {
  Json values = Json::array();
  double low = std::numeric_limits<double>::max(), high = std::numeric_limits<double>::lowest();
  for (const DistributionRow& row : rows) {
    std::vector<double> sorted = row.values;
    std::sort(sorted.begin(), sorted.end());
    for (std::size_t i = 0; i < sorted.size(); ++i) {
      values.push_back(
          Json{{"label", row.label},
               {"value", sorted[i]},
               {"share", static_cast<double>(i + 1) / static_cast<double>(sorted.size())}});
      if (sorted[i] > 0) low = std::min(low, sorted[i]);
      high = std::max(high, sorted[i]);
    }
  }
  Json spec = specification("Share of the observations that are at most so long");
  spec["height"] = 260;
  spec["data"] = Json{{"values", std::move(values)}};
  spec["mark"] = Json{{"type", "line"}, {"interpolate", "step-after"}, {"strokeWidth", 2}};
  Json x{{"field", "value"}, {"type", "quantitative"}};
  x["axis"] = value_axis(unit, unit_title(unit));
  spread_over(x, low, high);
  const Json order = order_of(rows, [](const DistributionRow& row) { return row.label; });
  // Told apart by the dash as well.
  Json colour{{"field", "label"}, {"type", "nominal"}, {"title", nullptr}, {"sort", order}};
  colour["scale"] = Json{{"range", series_colours()}};
  colour["legend"] = Json{{"orient", "bottom"}, {"columns", 2}, {"labelLimit", 320}};
  Json dash{{"field", "label"}, {"type", "nominal"}, {"title", nullptr}, {"sort", order}};
  spec["encoding"] =
      Json{{"x", x},
           {"y", Json{{"field", "share"},
                      {"type", "quantitative"},
                      {"axis", Json{{"title", "share of observations"}, {"format", ".0%"}}}}},
           {"color", colour},
           {"strokeDash", dash}};
  return spec;
}

std::vector<double> thinned(std::vector<double> values, std::size_t most) {
  std::sort(values.begin(), values.end());
  if (values.size() <= most || most < 2) return values;
  std::vector<double> out;
  out.reserve(most);
  for (std::size_t i = 0; i < most; ++i) {
    // Type 7 quantile on sorted values (models/statistics.h), without sorting again for each.
    const double at = static_cast<double>(i) / static_cast<double>(most - 1) *
                      static_cast<double>(values.size() - 1);
    const auto below = static_cast<std::size_t>(at);
    const std::size_t above = std::min(below + 1, values.size() - 1);
    out.push_back(values[below] +
                  (at - static_cast<double>(below)) * (values[above] - values[below]));
  }
  return out;
}

}  // namespace missive::harness
