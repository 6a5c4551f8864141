#include "autodiff/op-cases.h"

namespace op_cases {

namespace {

using unary = std::function<ggml_tensor *(ggml_context *, ggml_tensor *)>;
using gated = std::function<ggml_tensor *(ggml_context *, ggml_tensor *, ggml_tensor *)>; // null: one source

// Inputs have random signs and |x| in [lo, hi), away from a kink at zero.
void add_unary(std::vector<op_case> & cases, const std::string & rule, const std::string & name, const unary & op,
               float lo, float hi, double step = 1e-2) {
    cases.push_back(
        {rule, name, [=](leaves & l) { return op(l.ctx(), l.signed_parameter({5, 3, 2, 2}, lo, hi)); }, step});
    cases.push_back({rule, name + ", a view of rows",
                     [=](leaves & l) {
                         ggml_tensor * all = l.signed_parameter({8, 3}, lo, hi);
                         return op(l.ctx(),
                                   ggml_cont(l.ctx(), ggml_view_2d(l.ctx(), all, 4, 3, all->nb[1], 2 * sizeof(float))));
                     },
                     step});
}

unary kind(ggml_unary_op op) {
    return [op](ggml_context * ctx, ggml_tensor * x) { return ggml_unary(ctx, x, op); };
}

// The limits are at 1; values on both sides stay away from them.
void add_gated(std::vector<op_case> & cases, const std::string & rule, const gated & op) {
    const auto add = [&](const std::string & name, std::function<ggml_tensor *(leaves &)> build) {
        cases.push_back({rule, name, std::move(build)});
    };
    add("within the limits", [=](leaves & l) {
        return op(l.ctx(), l.parameter({5, 3, 2}, -0.9f, 0.9f), l.parameter({5, 3, 2}, -0.9f, 0.9f));
    });
    // the gradient is zero beyond the limit of x, so only some values of x may be beyond it
    add("a gate beyond the limits", [=](leaves & l) {
        return op(l.ctx(), l.signed_parameter({5, 3}, 0.1f, 0.9f), l.constant({5, 3}, 1.1f, 2.0f));
    });
    add("values on both sides", [=](leaves & l) {
        ggml_tensor * x = ggml_concat(l.ctx(), l.parameter({5, 3}, 0.1f, 0.9f), l.parameter({5, 3}, -2.0f, 0.9f), 0);
        ggml_tensor * beyond = ggml_concat(l.ctx(), x, l.constant({4, 3}, 1.1f, 2.0f), 0);
        ggml_tensor * gate = ggml_concat(l.ctx(), l.parameter({4, 3}, -0.9f, 0.9f), l.constant({4, 3}, 1.1f, 2.0f), 0);
        gate = ggml_concat(l.ctx(), gate, l.constant({6, 3}, -2.0f, -1.1f), 0);
        return op(l.ctx(), beyond, gate);
    });
    add("two views of one tensor", [=](leaves & l) {
        ggml_tensor * both = l.signed_parameter({8, 3}, 0.1f, 0.9f);
        ggml_tensor * x = ggml_view_2d(l.ctx(), both, 4, 3, both->nb[1], 0);
        return op(l.ctx(), x, ggml_view_2d(l.ctx(), both, 4, 3, both->nb[1], 4 * sizeof(float)));
    });
    add("only the gate is trained",
        [=](leaves & l) { return op(l.ctx(), l.constant({5, 3}, -2.0f, 2.0f), l.parameter({5, 3}, -0.9f, 0.9f)); });
}

}

std::vector<op_case> activations() {
    std::vector<op_case> cases;
    add_unary(cases, "ELU", "both sides of zero", kind(GGML_UNARY_OP_ELU), 0.1f, 3);
    add_unary(cases, "GELU_ERF", "both sides of zero", kind(GGML_UNARY_OP_GELU_ERF), 0.0f, 3);
    add_unary(cases, "HARDSIGMOID", "within", kind(GGML_UNARY_OP_HARDSIGMOID), 0.0f, 2.9f);
    add_unary(cases, "HARDSWISH", "within", kind(GGML_UNARY_OP_HARDSWISH), 0.0f, 2.9f);
    add_unary(cases, "HARDSWISH", "beyond", kind(GGML_UNARY_OP_HARDSWISH), 3.1f, 4.0f);
    add_unary(cases, "EXPM1", "both sides of zero", kind(GGML_UNARY_OP_EXPM1), 0.0f, 2);
    add_unary(
        cases, "XIELU", "both sides of zero",
        [](ggml_context * ctx, ggml_tensor * x) { return ggml_xielu(ctx, x, 0.7f, 0.4f, 0.5f, -1e-6f); }, 0.1f, 2);

    cases.push_back({"GEGLU_ERF", "two sources", [](leaves & l) {
                         return ggml_glu_split(l.ctx(), l.signed_parameter({5, 3, 2}, 0.0f, 2.0f),
                                               l.parameter({5, 3, 2}), GGML_GLU_OP_GEGLU_ERF);
                     }});
    for (const bool swapped : {false, true}) {
        cases.push_back({"GEGLU_ERF", swapped ? "one source, swapped" : "one source", [=](leaves & l) {
                             return ggml_glu(l.ctx(), l.signed_parameter({8, 3, 2}, 0.0f, 2.0f), GGML_GLU_OP_GEGLU_ERF,
                                             swapped);
                         }});
    }
    add_gated(cases, "SWIGLU_OAI", [](ggml_context * ctx, ggml_tensor * x, ggml_tensor * gate) {
        return ggml_swiglu_oai(ctx, x, gate, 1.702f, 1.0f);
    });
    add_gated(cases, "SWIGLU_CLAMP", [](ggml_context * ctx, ggml_tensor * x, ggml_tensor * gate) {
        return ggml_swiglu_clamp(ctx, x, gate, 1.0f);
    });
    return cases;
}

}
