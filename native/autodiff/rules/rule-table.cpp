#include "autodiff/rules/families.h"

#include <algorithm>

namespace llamatune {

namespace {

const rule_rows & all_rows() {
    static const rule_rows rows = [] {
        using namespace rules;
        rule_rows joined;
        for (const auto family : {activation_rules, attention_rules, delta_rule_rules, elementwise_rules,
                                  hyper_connection_rules, linear_attention_rules, matmul_rules, moe_rules, norm_rules,
                                  shape_rules, ssm_rules, triangular_rules, window_rules}) {
            for (const rule_row & row : family()) joined.push_back(row);
        }
        return joined;
    }();
    return rows;
}

const rule_row * find_row(const rule_key & key) {
    const rule_rows & rows = all_rows();
    const auto found = std::find_if(rows.begin(), rows.end(), [&](const rule_row & row) { return row.key == key; });
    return found == rows.end() ? nullptr : &*found;
}

const char * name_of(const rule_key & key) {
    if (key.op == GGML_OP_UNARY) return ggml_unary_op_name(ggml_unary_op(key.function));
    if (key.op == GGML_OP_GLU) return ggml_glu_op_name(ggml_glu_op(key.function));
    return ggml_op_name(key.op);
}

}

rule_key::rule_key(const ggml_tensor * node) : op(node->op) {
    if (op == GGML_OP_UNARY) function = ggml_get_unary_op(node);
    if (op == GGML_OP_GLU) function = ggml_get_glu_op(node);
}

rule find_rule(const ggml_tensor * node) {
    const rule_row * row = find_row(rule_key(node));
    return row ? row->apply : nullptr;
}

bool has_no_gradient(const ggml_tensor * node) {
    if (node->op == GGML_OP_NONE || node->type == GGML_TYPE_I32 || node->type == GGML_TYPE_I64) { return true; }
    const rule_row * row = find_row(rule_key(node));
    return row && row->apply == zero_gradient;
}

std::vector<std::string> rule_names() {
    std::vector<std::string> names;
    for (const rule_row & row : all_rows()) {
        if (row.apply != zero_gradient) names.push_back(name_of(row.key));
    }
    return names;
}

}
