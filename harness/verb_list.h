#pragma once
// The verbs, declared: one line here and one in verbs.cpp for each. `add_x_verb()` is defined in
// the verb's own file, verb_x.cpp.

#include "harness/verb.h"

namespace missive::harness {

void add_run_verb(Verbs& verbs);
void add_show_verb(Verbs& verbs);
void add_doctor_verb(Verbs& verbs);
void add_calibrate_verb(Verbs& verbs);
void add_validate_verb(Verbs& verbs);
void add_parameters_verb(Verbs& verbs);
void add_schema_verb(Verbs& verbs);
void add_report_verb(Verbs& verbs);
void add_merge_verb(Verbs& verbs);
void add_compare_verb(Verbs& verbs);
void add_help_verb(Verbs& verbs);
void add_man_verb(Verbs& verbs);
void add_completion_verb(Verbs& verbs);
void add_zar_verb(Verbs& verbs);
void add_cache_verb(Verbs& verbs);
void add_trace_verb(Verbs& verbs);
void add_domains_verb(Verbs& verbs);
void add_claims_verb(Verbs& verbs);
void add_reproduce_verb(Verbs& verbs);

}  // namespace missive::harness
