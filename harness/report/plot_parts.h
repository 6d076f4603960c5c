#pragma once
// What the plots of a report have in common: pieces of Vega-Lite specifications.

#include <algorithm>
#include <string>

#include "harness/json_source.h"

namespace missive::harness {

// Okabe and Ito's palette, for series that are no worlds.
Json series_colours();

// "simulated" and "measured", in the order of colours and shapes.
Json worlds();

// A specification without data and marks. Heights are given in pixels: Vega-Lite warns of every
// plot that has a step instead and is as wide as its container.
Json specification(const char* description);

Json world_colour(bool legend = true);

bool wants_log(double low, double high);

// "10 ms" on an axis of seconds.
Json value_axis(const std::string& unit, const std::string& title);
// "time" for "s".
std::string unit_title(const std::string& unit);

// Powers of ten, and 2 and 5 times them where they are few.
Json log_ticks(double low, double high);

// Sets scale and ticks of a channel: logarithmic where the values span more than a decade and a
// half. `low` is the smallest positive value.
void spread_over(Json& channel, double low, double high);

Json layer(Json mark, Json encoding);
Json layer_on(Json values, Json mark, Json encoding);
Json field(const char* name, const char* type);

// The order of first appearance.
template <typename Rows, typename Name>
Json order_of(const Rows& rows, Name name) {
  Json order = Json::array();
  for (const auto& row : rows)
    if (std::find(order.begin(), order.end(), name(row)) == order.end()) order.push_back(name(row));
  return order;
}

}  // namespace missive::harness
