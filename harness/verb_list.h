#pragma once
// The verbs, declared: one line here and one in verbs.cpp for each. `add_x_verb()` is defined in
// the verb's own file, verb_x.cpp.

#include "harness/verb.h"

namespace missive::harness {

void add_run_verb(Verb& program);
void add_show_verb(Verb& program);
void add_doctor_verb(Verb& program);
void add_calibrate_verb(Verb& program);
void add_validate_verb(Verb& program);
void add_parameters_verb(Verb& program);
void add_schema_verb(Verb& program);
void add_report_verb(Verb& program);
void add_merge_verb(Verb& program);
void add_compare_verb(Verb& program);
void add_help_verb(Verb& program);
void add_man_verb(Verb& program);
void add_completion_verb(Verb& program);
void add_zar_verb(Verb& program);
void add_cache_verb(Verb& program);
void add_trace_verb(Verb& program);
void add_domains_verb(Verb& program);
void add_claims_verb(Verb& program);
void add_reproduce_verb(Verb& program);

}  // namespace missive::harness
