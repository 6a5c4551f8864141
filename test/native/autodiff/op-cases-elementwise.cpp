#include "autodiff/op-cases.h"

namespace op_cases {

namespace {

using binary = ggml_tensor * (*)(ggml_context *, ggml_tensor *, ggml_tensor *);
using unary = ggml_tensor * (*)(ggml_context *, ggml_tensor *);

// The second source is broadcast to the first's shape. It stays away from zero, since it may be a divisor.
void add_binary(std::vector<op_case> & cases, const std::string & rule, binary op) {
    const auto add = [&](const std::string & name, std::vector<int64_t> a, std::vector<int64_t> b) {
        cases.push_back(
            {rule, name, [=](leaves & l) { return op(l.ctx(), l.parameter(a), l.parameter(b, 0.5f, 1.5f)); }});
    };
    add("same shape", {5, 3, 2, 2}, {5, 3, 2, 2});
    add("one row, as a bias", {5, 3}, {5});
    add("one column", {5, 3}, {1, 3});
    add("a scalar", {5, 3}, {1});
    add("repeated in every dimension", {4, 6, 2, 6}, {2, 3, 1, 2});
    add("batch dimensions", {3, 2, 4, 3}, {3, 2, 1, 3});
    cases.push_back({rule, "permuted sources", [=](leaves & l) {
                         ggml_tensor * a = ggml_permute(l.ctx(), l.parameter({4, 3, 2}), 0, 2, 1, 3);
                         ggml_tensor * b = ggml_permute(l.ctx(), l.parameter({4, 3, 2}, 0.5f, 1.5f), 0, 2, 1, 3);
                         return op(l.ctx(), a, b);
                     }});
    cases.push_back({rule, "only the second is trained",
                     [=](leaves & l) { return op(l.ctx(), l.constant({4, 3}), l.parameter({4}, 0.5f, 1.5f)); }});
}

void add_unary(std::vector<op_case> & cases, const std::string & rule, unary op, float lo, float hi, double step = 1e-2,
               double tolerance = 1e-3) {
    const auto input = [=](leaves & l, std::vector<int64_t> ne) {
        return lo < 0 ? l.signed_parameter(std::move(ne), -lo, hi) : l.parameter(std::move(ne), lo, hi);
    };
    cases.push_back(
        {rule, "4 dimensions", [=](leaves & l) { return op(l.ctx(), input(l, {5, 3, 2, 2})); }, step, tolerance});
    cases.push_back({rule, "a view of rows",
                     [=](leaves & l) {
                         ggml_tensor * all = input(l, {8, 3});
                         return op(l.ctx(), ggml_view_2d(l.ctx(), all, 4, 3, all->nb[1], 2 * sizeof(float)));
                     },
                     step, tolerance});
}

template <ggml_unary_op Kind>
ggml_tensor * unary_op(ggml_context * ctx, ggml_tensor * x) {
    return ggml_unary(ctx, x, Kind);
}

// REGLU has a kink at zero of the first half.
void add_glu(std::vector<op_case> & cases, const std::string & rule, ggml_glu_op kind) {
    const auto add = [&](const std::string & name, std::function<ggml_tensor *(leaves &)> build) {
        cases.push_back({rule, name, std::move(build)});
    };
    add("two sources", [=](leaves & l) {
        return ggml_glu_split(l.ctx(), l.signed_parameter({5, 3, 2}, 0.5f, 2.0f), l.parameter({5, 3, 2}), kind);
    });
    add("one source",
        [=](leaves & l) { return ggml_glu(l.ctx(), l.signed_parameter({8, 3, 2}, 0.5f, 2.0f), kind, false); });
    add("one source, swapped",
        [=](leaves & l) { return ggml_glu(l.ctx(), l.signed_parameter({8, 3, 2}, 0.5f, 2.0f), kind, true); });
    add("two views of one tensor", [=](leaves & l) {
        ggml_tensor * both = l.signed_parameter({8, 3}, 0.5f, 2.0f);
        ggml_tensor * x = ggml_view_2d(l.ctx(), both, 4, 3, both->nb[1], 0);
        ggml_tensor * gate = ggml_view_2d(l.ctx(), both, 4, 3, both->nb[1], 4 * sizeof(float));
        return ggml_glu_split(l.ctx(), x, gate, kind);
    });
    add("only the gate is trained",
        [=](leaves & l) { return ggml_glu_split(l.ctx(), l.constant({5, 3}), l.parameter({5, 3}), kind); });
}

}

std::vector<op_case> elementwise() {
    std::vector<op_case> cases;
    add_binary(cases, "ADD", ggml_add);
    add_binary(cases, "SUB", ggml_sub);
    add_binary(cases, "MUL", ggml_mul);
    add_binary(cases, "DIV", ggml_div);
    for (const auto & [rule, op] : {std::pair<const char *, binary>{"ADD", ggml_add}, {"MUL", ggml_mul}}) {
        const binary apply = op;
        cases.push_back({rule, "a tensor with itself", [=](leaves & l) {
                             ggml_tensor * x = l.parameter({5, 3}, 0.5f, 1.5f);
                             return apply(l.ctx(), x, x);
                         }});
    }

    add_unary(
        cases, "SCALE", [](ggml_context * ctx, ggml_tensor * x) { return ggml_scale(ctx, ggml_cont(ctx, x), -1.7f); },
        0, 1);
    cases.push_back({"SCALE", "with a bias", [](leaves & l) {
                         return ggml_scale_bias(l.ctx(), ggml_cont(l.ctx(), l.parameter({5, 3, 2, 2}, 0, 1)), 0.3f,
                                                4.0f);
                     }});
    // ggml_clamp works in place, so it gets a copy of the input
    add_unary(
        cases, "CLAMP",
        [](ggml_context * ctx, ggml_tensor * x) { return ggml_clamp(ctx, ggml_cont(ctx, x), -0.9f, 1.1f); }, -0.2f, 2,
        1e-3, 3e-3); // small steps, so that few values are next to a bound
    add_unary(cases, "SQR", ggml_sqr, 0, 2);
    add_unary(cases, "SQRT", ggml_sqrt, 0.5f, 2);
    add_unary(cases, "LOG", ggml_log, 0.5f, 2);
    add_unary(cases, "SIN", ggml_sin, -2, 2);
    add_unary(cases, "COS", ggml_cos, 0.5f, 3);
    cases.push_back({"ADD1", "a scalar", [](leaves & l) {
                         return ggml_sqr(l.ctx(), ggml_add1(l.ctx(), l.parameter({4, 3}), l.parameter({1})));
                     }});
    add_unary(cases, "SUM", ggml_sum, 0, 1);
    add_unary(cases, "SUM_ROWS", ggml_sum_rows, 0, 1);
    add_unary(cases, "MEAN", ggml_mean, 0, 1);

    add_unary(cases, "NEG", unary_op<GGML_UNARY_OP_NEG>, 0, 1);
    add_unary(cases, "ABS", unary_op<GGML_UNARY_OP_ABS>, -0.2f, 2);
    add_unary(cases, "EXP", unary_op<GGML_UNARY_OP_EXP>, -0.01f, 2);
    add_unary(cases, "TANH", unary_op<GGML_UNARY_OP_TANH>, -0.01f, 2);
    add_unary(cases, "SIGMOID", unary_op<GGML_UNARY_OP_SIGMOID>, -0.01f, 3);
    add_unary(cases, "SOFTPLUS", unary_op<GGML_UNARY_OP_SOFTPLUS>, -0.01f, 3);
    add_unary(cases, "RELU", unary_op<GGML_UNARY_OP_RELU>, -0.2f, 2);
    add_unary(cases, "SILU", unary_op<GGML_UNARY_OP_SILU>, -0.01f, 4);
    add_unary(cases, "GELU", unary_op<GGML_UNARY_OP_GELU>, -0.01f, 2.5f);
    add_unary(cases, "GELU_QUICK", unary_op<GGML_UNARY_OP_GELU_QUICK>, -0.01f, 2.5f);

    add_glu(cases, "SWIGLU", GGML_GLU_OP_SWIGLU);
    add_glu(cases, "GEGLU", GGML_GLU_OP_GEGLU);
    add_glu(cases, "GEGLU_QUICK", GGML_GLU_OP_GEGLU_QUICK);
    add_glu(cases, "REGLU", GGML_GLU_OP_REGLU);
    return cases;
}

}
