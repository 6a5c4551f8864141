#pragma once

#include "autodiff/engine/gradients.h"

#include <cstring>
#include <string>
#include <vector>

namespace llamatune {

// One op's gradient: adds d(src[i]) for every source that wants one, given dy = d(node), contiguous F32.
using rule = void (*)(gradients & g, ggml_tensor * node, ggml_tensor * dy);

// The key of a rule: an op, or one function of the ops UNARY and GLU.
struct rule_key {
    ggml_op op;
    int function = 0;

    constexpr rule_key(ggml_op op) : op(op) {}
    constexpr rule_key(ggml_unary_op function) : op(GGML_OP_UNARY), function(function) {}
    constexpr rule_key(ggml_glu_op function) : op(GGML_OP_GLU), function(function) {}
    explicit rule_key(const ggml_tensor * node);

    bool operator==(const rule_key & other) const { return op == other.op && function == other.function; }
};

// Marks an op whose gradient is zero towards every source: indices, comparisons, rounding, constants.
constexpr rule zero_gradient = nullptr;

struct rule_row {
    rule_key key;
    rule apply; // or zero_gradient
};
using rule_rows = std::vector<rule_row>;

// The i-th of an op's parameters, as a float.
inline float parameter(const ggml_tensor * node, int i) {
    float value;
    std::memcpy(&value, node->op_params + i, sizeof(value));
    return value;
}

// The table of all rules, which autodiff/rules/rule-table.cpp gathers from their families.

// The rule for this node, or null if it has none.
rule find_rule(const ggml_tensor * node);

// Does the op have a zero gradient towards all sources? The walk stops at such nodes without an error.
bool has_no_gradient(const ggml_tensor * node);

// One name per rule, as ggml_op_desc() gives it for a node. Tests require a case for each.
std::vector<std::string> rule_names();

}
