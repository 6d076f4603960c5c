#include "harness/report/plot_parts.h"

#include <cmath>

namespace missive::harness {

Json series_colours() {
  return Json::array({"#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9"});
}

Json worlds() { return Json::array({"simulated", "measured"}); }

Json specification(const char* description) {
  return Json{{"$schema", "https://vega.github.io/schema/vega-lite/v6.json"},
              {"description", description},
              {"width", "container"}};
}

Json world_colour(bool legend) {
  Json colour{
      {"field", "world"},
      {"type", "nominal"},
      {"title", nullptr},
      {"scale", Json{{"domain", worlds()}, {"range", Json::array({"@simulated", "@measured"})}}}};
  if (legend)
    colour["legend"] = Json{{"orient", "top"}, {"symbolType", "square"}};
  else
    colour["legend"] = nullptr;
  return colour;
}

bool wants_log(double low, double high) { return low > 0 && high / low > 30; }

Json value_axis(const std::string& unit, const std::string& title) {
  Json axis{{"title", title}, {"tickCount", 6}};
  if (unit == "s" || unit == "B")
    axis["labelExpr"] = "format(datum.value, '~s') + '" + unit + "'";
  else
    axis["format"] = "~g";
  axis["labelOverlap"] = true;
  return axis;
}

std::string unit_title(const std::string& unit) {
  return unit == "s" ? "time" : unit == "B" ? "bytes" : unit == "1" ? "value" : unit;
}

Json log_ticks(double low, double high) {
  Json ticks = Json::array();
  const int first = static_cast<int>(std::floor(std::log10(low)));
  const int last = static_cast<int>(std::ceil(std::log10(high)));
  for (int power = first; power <= last; ++power)
    for (const int digit : {1, 2, 5}) {
      if (digit != 1 && last - first > 2) continue;
      const double tick = digit * std::pow(10.0, power);
      if (tick >= low && tick <= high) ticks.push_back(tick);
    }
  return ticks;
}

void spread_over(Json& channel, double low, double high) {
  if (wants_log(low, high)) {
    channel["scale"] =
        Json{{"type", "log"}, {"domain", Json::array({low / 1.25, high * 1.25})}, {"nice", false}};
    channel["axis"]["values"] = log_ticks(low / 1.25, high * 1.25);
  } else {
    if (low > 0 && low < 0.4 * high) low = 0;
    const double margin = high > low ? (high - low) * 0.04 : std::abs(high) * 0.1 + 1e-12;
    channel["scale"] = Json{{"type", "linear"},
                            {"domain", Json::array({low == 0 ? 0 : low - margin, high + margin})},
                            {"nice", false}};
  }
}

Json layer(Json mark, Json encoding) {
  return Json{{"mark", std::move(mark)}, {"encoding", std::move(encoding)}};
}

Json layer_on(Json values, Json mark, Json encoding) {
  return Json{{"data", Json{{"values", std::move(values)}}},
              {"mark", std::move(mark)},
              {"encoding", std::move(encoding)}};
}

Json field(const char* name, const char* type) { return Json{{"field", name}, {"type", type}}; }

}  // namespace missive::harness
