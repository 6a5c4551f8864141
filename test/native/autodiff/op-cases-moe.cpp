#include "autodiff/op-cases.h"

#include <cmath>

namespace op_cases {

namespace {

using build = std::function<ggml_tensor *(leaves &)>;
using routing = std::function<ggml_tensor *(leaves &)>; // I32 [n_used, n_tokens]

// Top-k routing: a view of the sorted indices of each token's scores. The scores are not a parameter, so that the
// selection does not change while differences are measured.
routing top_k(int64_t n_expert, int64_t n_used, int64_t n_tokens) {
    return [=](leaves & l) { return ggml_argsort_top_k(l.ctx(), l.constant({n_expert, n_tokens}), int(n_used)); };
}

routing fixed(std::vector<int64_t> ne, std::vector<int32_t> ids) {
    return [=](leaves & l) { return l.indices(ne, ids); };
}

void add_products(std::vector<op_case> & cases) {
    // linear in each parameter
    const auto add = [&](const std::string & name, build b, double step = 0.1, double tolerance = 1e-4) {
        cases.push_back({"MUL_MAT_ID", name, std::move(b), step, tolerance});
    };
    const auto product = [&](const std::string & name, std::vector<int64_t> a, std::vector<int64_t> b, routing ids) {
        add(name, [=](leaves & l) { return ggml_mul_mat_id(l.ctx(), l.parameter(a), l.parameter(b), ids(l)); });
    };
    // [k, m, n_expert], [k, slots, n_tokens]
    product("one input for all slots", {5, 4, 6}, {5, 1, 7}, top_k(6, 2, 7));
    product("one input per slot", {5, 4, 6}, {5, 2, 7}, top_k(6, 2, 7));
    product("one input per two slots", {5, 4, 6}, {5, 2, 7}, top_k(6, 4, 7));
    product("narrow results for all slots", {9, 2, 4}, {9, 1, 5}, top_k(4, 3, 5));
    product("narrow inputs", {2, 9, 4}, {2, 3, 5}, top_k(4, 3, 5));
    product("narrow inputs for all slots", {1, 9, 4}, {1, 1, 5}, top_k(4, 2, 5));
    product("one token", {5, 4, 6}, {5, 1, 1}, top_k(6, 2, 1));
    product("one slot", {5, 4, 6}, {5, 1, 7}, top_k(6, 1, 7));
    product("every expert in every token", {5, 4, 3}, {5, 1, 4}, top_k(3, 3, 4));
    product("experts that no token uses, one that all use", {5, 4, 8}, {5, 2, 3}, fixed({2, 3}, {5, 0, 5, 2, 2, 5}));
    product("an expert twice in a token, one input for all slots", {5, 4, 4}, {5, 1, 3},
            fixed({2, 3}, {1, 1, 3, 0, 2, 2}));
    product("an expert twice in a token, one input per slot", {5, 4, 4}, {5, 2, 3}, fixed({2, 3}, {1, 1, 3, 0, 2, 2}));
    add("only the experts are trained", [](leaves & l) {
        return ggml_mul_mat_id(l.ctx(), l.parameter({5, 4, 6}), l.constant({5, 1, 7}), top_k(6, 2, 7)(l));
    });
    add("only the input is trained", [](leaves & l) {
        return ggml_mul_mat_id(l.ctx(), l.constant({5, 4, 6}), l.parameter({5, 1, 7}), top_k(6, 2, 7)(l));
    });
    add("a low-rank pair",
        [](leaves & l) { // B (A x), as LoRA's: quadratic in none of its parameters
            ggml_tensor * ids = top_k(6, 2, 7)(l);
            ggml_tensor * inner = ggml_mul_mat_id(l.ctx(), l.parameter({6, 2, 6}), l.parameter({6, 1, 7}), ids);
            return ggml_mul_mat_id(l.ctx(), l.parameter({2, 5, 6}), inner, ids);
        });
    add("a view as input", [](leaves & l) { // halves of rows, as of merged gate and up projections
        ggml_tensor * both = l.parameter({10, 2, 7});
        ggml_tensor * half = ggml_view_3d(l.ctx(), both, 5, 2, 7, both->nb[1], both->nb[2], 5 * sizeof(float));
        return ggml_mul_mat_id(l.ctx(), l.parameter({5, 4, 6}), half, top_k(6, 2, 7)(l));
    });
    add(
        "frozen experts of type f16",
        [](leaves & l) {
            return ggml_mul_mat_id(l.ctx(), l.typed(GGML_TYPE_F16, {8, 4, 6}), l.parameter({8, 2, 5}),
                                   top_k(6, 2, 5)(l));
        },
        1.0, 2e-3);
}

void add_rows(std::vector<op_case> & cases) {
    cases.push_back({"GET_ROWS", "a router's weights", [](leaves & l) { // [1, n_used, n_tokens]
                         return ggml_get_rows(l.ctx(), ggml_reshape_3d(l.ctx(), l.parameter({6, 7}), 1, 6, 7),
                                              top_k(6, 2, 7)(l));
                     }});
    cases.push_back({"GET_ROWS", "a batch of tables, rows repeated", [](leaves & l) {
                         return ggml_get_rows(l.ctx(), l.parameter({3, 4, 2}), l.indices({3, 2}, {1, 1, 3, 0, 2, 0}));
                     }});
    cases.push_back({"GET_ROWS", "a batch in two dimensions, rows repeated", [](leaves & l) {
                         return ggml_get_rows(l.ctx(), l.parameter({2, 4, 2, 2}),
                                              l.indices({2, 2, 2}, {1, 1, 3, 0, 2, 0, 3, 3}));
                     }});
    cases.push_back({"GET_ROWS", "a batch in two dimensions, sorted", [](leaves & l) {
                         ggml_tensor * order = ggml_argsort(l.ctx(), l.constant({4, 2, 3}), GGML_SORT_ORDER_ASC);
                         return ggml_get_rows(l.ctx(), l.parameter({2, 4, 2, 3}), order);
                     }});
    const auto bias = [&](const std::string & name, std::vector<int64_t> x, std::vector<int64_t> b, routing ids) {
        cases.push_back(
            {"ADD_ID", name, [=](leaves & l) { return ggml_add_id(l.ctx(), l.parameter(x), l.parameter(b), ids(l)); }});
    };
    bias("the top-k experts of each token", {5, 2, 7}, {5, 6}, top_k(6, 2, 7));
    bias("unused and repeated experts", {5, 2, 3}, {5, 8}, fixed({2, 3}, {5, 0, 5, 5, 2, 5}));
}

// The scores of all experts for the selection, where only those of the best groups of experts are above -infinity.
ggml_tensor * in_best_groups(ggml_context * ctx, ggml_tensor * scores, int64_t n_groups, int n_used_groups) {
    const int64_t n_expert = scores->ne[0], n_tokens = scores->ne[1], of_group = n_expert / n_groups;
    ggml_tensor * groups = ggml_reshape_3d(ctx, scores, of_group, n_groups, n_tokens);
    ggml_tensor * best_two = ggml_argsort_top_k(ctx, groups, 2); // [2, n_groups, n_tokens]
    ggml_tensor * values = ggml_get_rows(ctx, ggml_reshape_4d(ctx, groups, 1, of_group, n_groups, n_tokens), best_two);
    ggml_tensor * sums = ggml_sum_rows(ctx, ggml_reshape_3d(ctx, values, 2, n_groups, n_tokens));
    ggml_tensor * chosen = ggml_argsort_top_k(ctx, ggml_reshape_2d(ctx, sums, n_groups, n_tokens), n_used_groups);
    ggml_tensor * kept = ggml_get_rows(ctx, groups, chosen); // [of_group, n_used_groups, n_tokens]
    ggml_tensor * masked = ggml_set_rows(ctx, ggml_fill(ctx, groups, -INFINITY), kept, chosen);
    return ggml_reshape_2d(ctx, masked, n_expert, n_tokens);
}

// The weights of the selected experts, as llama.cpp's build_moe_ffn() makes them with each of its gating functions.
struct router {
    const char * name;
    std::function<ggml_tensor *(ggml_context *, ggml_tensor * logits)> gate;
    bool normalised = false;
    bool softmax_of_chosen = false;
    bool biased = false;  // the selection, not the weights
    int64_t n_groups = 0; // of which the best two are used
};

ggml_tensor * weights_of(const router & r, leaves & l, int64_t n_expert, int n_used, int64_t n_tokens) {
    ggml_context * ctx = l.ctx();
    ggml_tensor * logits = ggml_mul_mat(ctx, l.parameter({5, n_expert}), l.parameter({5, n_tokens}));
    ggml_tensor * scores = r.gate(ctx, logits); // [n_expert, n_tokens]
    ggml_tensor * selection = r.biased ? ggml_add(ctx, scores, l.constant({n_expert})) : scores;
    if (r.n_groups > 0) selection = in_best_groups(ctx, selection, r.n_groups, 2);
    ggml_tensor * ids = ggml_argsort_top_k(ctx, selection, n_used);
    ggml_tensor * weights = ggml_get_rows(ctx, ggml_reshape_3d(ctx, scores, 1, n_expert, n_tokens), ids);
    if (!r.normalised && !r.softmax_of_chosen) return weights; // [1, n_used, n_tokens]
    weights = ggml_reshape_2d(ctx, weights, n_used, n_tokens);
    if (r.softmax_of_chosen) weights = ggml_soft_max(ctx, weights);
    if (!r.normalised) return weights;
    return ggml_div(ctx, weights, ggml_clamp(ctx, ggml_sum_rows(ctx, weights), 6.103515625e-5f, INFINITY));
}

void add_routers(std::vector<op_case> & cases) {
    const auto softmax = [](ggml_context * ctx, ggml_tensor * x) { return ggml_soft_max(ctx, x); };
    const auto sigmoid = [](ggml_context * ctx, ggml_tensor * x) { return ggml_sigmoid(ctx, x); };
    const auto logits = [](ggml_context *, ggml_tensor * x) { return x; };
    const auto sqrt_softplus = [](ggml_context * ctx, ggml_tensor * x) {
        return ggml_sqrt(ctx, ggml_softplus(ctx, x));
    };
    const router routers[] = {
        {"a router with softmax", softmax},
        {"a router with softmax, normalised", softmax, true},
        {"a router with sigmoid", sigmoid},
        {"a router with sigmoid and a bias of the selection, normalised", sigmoid, true, false, true},
        {"a router with softmax of the chosen scores", logits, false, true},
        {"a router with the root of softplus", sqrt_softplus},
        {"a router with the root of softplus and a bias of the selection, normalised", sqrt_softplus, true, false,
         true},
        {"a router with sigmoid, limited to groups, normalised", sigmoid, true, false, true, 3},
        {"a router with softmax, limited to groups", softmax, false, false, false, 3},
    };
    for (const router & r : routers) {
        cases.push_back({"GET_ROWS", r.name, [r](leaves & l) { return weights_of(r, l, 9, 3, 7); }, 1e-3, 1e-2});
    }
}

}

std::vector<op_case> moe() {
    std::vector<op_case> cases;
    add_products(cases);
    add_rows(cases);
    add_routers(cases);
    return cases;
}

}
