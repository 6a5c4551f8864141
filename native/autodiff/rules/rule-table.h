#pragma once

#include "autodiff/rules/rule.h"

#include <string>
#include <vector>

namespace llamatune {

// The rule for this node's op (and unary or GLU kind), or null when there is none.
rule find_rule(const ggml_tensor * node);

// Does the op have a zero gradient towards all of its sources (indices, comparisons, rounding, constants)?
// Such nodes stop the walk without being an error.
bool has_no_gradient(const ggml_tensor * node);

// One name per row of the table, as ggml_op_desc() gives it for a node. Tests hold each against a case.
std::vector<std::string> rule_names();

}
