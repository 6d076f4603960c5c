#pragma once
// The cell "creation": from nothing to a domain that has answered, and back to nothing.

#include <vector>

#include "real/domains/cells/series.h"
#include "real/domains/domain.h"

namespace missive::domains {

struct CreationOptions {
  int repetitions = 20;
  int warm_up = 2;                 // creations that are not counted
  int sustained = 30;              // creations one after another, as one value; 0: not measured
  std::vector<int> creators = {};  // storms: this many threads create at once
  int per_creator = 10;
  DomainOptions domain;
};

// In seconds:
//   creation.create      create() alone
//   creation.first_call  create() and the first call answered: faults that creation put off
//   included creation.second_call the next call: what is left when nothing is put off any more
//   creation.teardown    the destructor, until nothing of the domain is left
//   creation.sustained   create, call, destroy, so many in a row; per domain, one value for each
//                        repetition
//   creation.storm       x threads at once, each create, call, destroy in a row; wall-clock time
//   over
//                        the number of domains, a value for every fourth repetition
// Whatever create() throws gets out; nothing is left then.
CellResult measure_creation(const Mechanism& mechanism, const CreationOptions& options);

}  // namespace missive::domains
