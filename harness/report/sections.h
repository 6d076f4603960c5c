#pragma once
// The parts of a report, each a piece of HTML in which all text is escaped. A section that has
// nothing to say is empty.

#include <string>
#include <vector>

#include "harness/report/answers.h"
#include "harness/report/kind_answer.h"

namespace missive::harness {

struct Section {
  std::string id, title, html;
};

class ReportWriter {
 public:
  // Without `plots` every table is open and no plot is there.
  ReportWriter(const Result& result, bool plots)
      : result_(result),
        plots_(plots),
        launches_(shown_launches(result)),
        kind_(answer_of_kind(result)),
        observations_(result) {}

  std::string header() const;  // title, question, three answers
  // Everything below it, in the order of the page; only those with something to say.
  std::vector<Section> sections() const;

 private:
  std::string tiles() const;
  std::string answer_tile() const;
  std::string answer() const;
  std::string in_words() const;
  std::string errors_in_words() const;
  std::string busy_warning() const;
  std::string failures() const;
  std::string claims() const;
  std::string waterfalls() const;
  std::string words() const;
  std::string judging() const;
  std::string accuracy() const;
  std::string errors_by_phase() const;
  std::string distributions() const;
  std::string all_points() const;
  std::string parameters() const;
  std::string host() const;
  std::string configuration() const;
  std::string limits() const;

  std::string figure(const std::string& id, const std::string& title, const std::string& caption,
                     const Json& spec, const std::string& table) const;
  std::string distribution(const std::string& metric, std::size_t index) const;

  const Result& result_;
  bool plots_;
  std::vector<ShownLaunch> launches_;
  KindAnswer kind_;
  ObservationIndex observations_;
};

}  // namespace missive::harness
