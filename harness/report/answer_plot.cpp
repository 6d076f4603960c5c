#include <cmath>
#include <limits>

#include "harness/report/plot_parts.h"
#include "harness/report/plots.h"

namespace missive::harness {
namespace {

Json y_channel(const AnswerPlot& plot) {
  double low = std::numeric_limits<double>::max(), high = 0;
  for (const AnswerPoint& p : plot.points) {
    if (p.value > 0) low = std::min(low, p.value);
    high = std::max(high, p.value);
  }
  Json y = field("value", "quantitative");
  y["axis"] = value_axis(plot.unit, plot.y_title);
  if (plot.unit == "%") {
    y["axis"].erase("labelExpr");
    y["axis"]["format"] = ".0%";
  }
  if (plot.logarithmic && low < high) {
    y["scale"] =
        Json{{"type", "log"}, {"domain", Json::array({low / 1.5, high * 1.5})}, {"nice", false}};
    y["axis"]["values"] = log_ticks(low / 1.5, high * 1.5);
  } else {
    y["scale"] = Json{{"domain", Json::array({0, high > 0 ? high * 1.06 : 1})}, {"nice", false}};
  }
  return y;
}

}  // namespace

Json answer_plot(const AnswerPlot& plot) {
  Json values = Json::array();
  for (const AnswerPoint& p : plot.points)
    if (!plot.logarithmic || p.value > 0)
      values.push_back(
          Json{{"series", p.series}, {"x", p.x}, {"value", p.value}, {"text", p.text}});
  Json spec = specification("The numbers that the question is about, one mark for each point");
  spec["height"] = 260;
  spec["data"] = Json{{"values", std::move(values)}};
  const auto order = [&](std::string AnswerPoint::*name) {
    return order_of(plot.points, [&](const AnswerPoint& p) { return p.*name; });
  };
  Json x = field("x", "nominal");
  x["sort"] = order(&AnswerPoint::x);
  x["title"] = plot.x_title;
  x["axis"] = Json{{"labelAngle", x["sort"].size() > 3 ? -35 : 0}, {"labelOverlap", false}};
  const Json y = y_channel(plot);
  // Told apart by shape and dash as well as by colour, as in the other plots.
  Json series = field("series", "nominal");
  series["title"] = nullptr;
  series["sort"] = order(&AnswerPoint::series);
  const bool wide = std::any_of(plot.points.begin(), plot.points.end(),
                                [](const AnswerPoint& p) { return p.series.size() > 20; });
  series["legend"] = Json{{"orient", "bottom"}, {"columns", wide ? 1 : 2}, {"labelLimit", 420}};
  Json colour = series, shape = series, dash = series;
  colour["scale"] = Json{{"range", series_colours()}};
  shape["scale"] =
      Json{{"range",
            Json::array({"circle", "square", "diamond", "triangle-up", "cross", "triangle-down"})}};
  const Json tooltip =
      Json::array({Json{{"field", "series"}, {"type", "nominal"}, {"title", "of"}},
                   Json{{"field", "x"}, {"type", "nominal"}, {"title", "at"}},
                   Json{{"field", "text"}, {"type", "nominal"}, {"title", "value"}}});
  spec["layer"] = Json::array();
  if (plot.connected)
    spec["layer"].push_back(
        layer(Json{{"type", "line"}, {"strokeWidth", 1.6}},
              Json{{"x", x}, {"y", y}, {"color", colour}, {"strokeDash", dash}}));
  spec["layer"].push_back(
      layer(Json{{"type", "point"}, {"filled", true}, {"size", 55}, {"opacity", 1}},
            Json{{"x", x}, {"y", y}, {"color", colour}, {"shape", shape}, {"tooltip", tooltip}}));
  return spec;
}

}  // namespace missive::harness
