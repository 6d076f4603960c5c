#pragma once
// The answer of a kind of experiment in short, for the first lines of a report and its first plot.
// The table of the kind (ExperimentKind::table) has all of it.

#include <optional>
#include <string>
#include <vector>

namespace missive::harness {

struct Term {
  std::string word, meaning;
};

// One curve or cloud per series, over values of a key in their order.
struct AnswerPoint {
  std::string series, x;
  double value = 0;
  std::string text;  // tooltip
};

struct AnswerPlot {
  std::string title, caption, x_title, y_title;
  std::string unit;  // "B", "s", or "%" for fractions
  bool logarithmic = false;
  bool connected = true;  // neighbours along x by a line
  std::vector<AnswerPoint> points;
};

struct Answer {
  std::string question, answer, detail;  // "Which block size?", "4.00 KiB", "fewest bytes ..."
  std::vector<std::string> sentences;
  std::vector<std::string> metrics;  // worth a distribution of their own, most telling first
  std::optional<AnswerPlot> plot;
  std::vector<Term> words;  // what the metrics are, for people who have not read the documents
};

}  // namespace missive::harness
