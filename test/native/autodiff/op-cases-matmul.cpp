#include "autodiff/op-cases.h"

namespace op_cases {

// The op is linear in each parameter, so a step of 0.1 is as exact as a small one and less affected by rounding.
std::vector<op_case> matmul() {
    std::vector<op_case> cases;
    const auto add = [&](const std::string & name, std::function<ggml_tensor *(leaves &)> build, double step = 0.1,
                         double tolerance = 1e-4) {
        cases.push_back({"MUL_MAT", name, std::move(build), step, tolerance});
    };
    const auto product = [&](const std::string & name, std::vector<int64_t> a, std::vector<int64_t> b) {
        add(name, [=](leaves & l) { return ggml_mul_mat(l.ctx(), l.parameter(a), l.parameter(b)); });
    };
    product("two matrices", {5, 4}, {5, 3});
    product("a matrix and a vector", {5, 4}, {5});
    product("batches", {5, 4, 2, 3}, {5, 3, 2, 3});
    product("one matrix for every batch", {5, 4}, {5, 3, 2, 3});
    product("grouped-query attention", {5, 4, 2, 2}, {5, 3, 6, 2});
    product("one key head for all query heads", {5, 4, 1, 2}, {5, 3, 4, 2});
    product("groups in dimension 3", {5, 4, 2, 2}, {5, 3, 2, 4});
    product("groups in dimensions 2 and 3", {5, 4, 2, 2}, {5, 3, 4, 6});

    add("only the weight is trained",
        [](leaves & l) { return ggml_mul_mat(l.ctx(), l.parameter({5, 4}), l.constant({5, 3})); });
    add("only the input is trained",
        [](leaves & l) { return ggml_mul_mat(l.ctx(), l.constant({5, 4}), l.parameter({5, 3})); });
    add( // quadratic
        "a matrix with itself",
        [](leaves & l) {
            ggml_tensor * x = l.parameter({5, 4});
            return ggml_mul_mat(l.ctx(), x, x);
        },
        1e-2, 1e-3);
    add("permuted keys and queries", [](leaves & l) { // [head, heads, tokens] -> [head, tokens, heads]
        ggml_tensor * k = ggml_permute(l.ctx(), l.parameter({4, 2, 5}), 0, 2, 1, 3);
        ggml_tensor * q = ggml_permute(l.ctx(), l.parameter({4, 4, 3}), 0, 2, 1, 3);
        return ggml_mul_mat(l.ctx(), k, q);
    });
    add("transposed values", [](leaves & l) {
        ggml_tensor * v = ggml_permute(l.ctx(), l.parameter({4, 2, 5}), 1, 2, 0, 3); // [tokens, head, heads]
        return ggml_mul_mat(l.ctx(), ggml_cont(l.ctx(), v), l.parameter({5, 3, 4}));
    });
    add("a view of rows as input", [](leaves & l) {
        ggml_tensor * all = l.parameter({16, 8}); // the view starts at a multiple of 256 bytes, as GPUs need
        return ggml_mul_mat(l.ctx(), l.parameter({16, 4}),
                            ggml_view_2d(l.ctx(), all, 16, 3, all->nb[1], 4 * all->nb[1]));
    });
    add("a low-rank pair", [](leaves & l) { // B (A x), like a LoRA pair
        ggml_tensor * x = l.parameter({6, 4});
        return ggml_mul_mat(l.ctx(), l.parameter({2, 5}), ggml_mul_mat(l.ctx(), l.parameter({6, 2}), x));
    });

    // The CPU rounds the input to the weight's type: over a step of 1 that is a relative error of 2^-11, of 2^-8 for
    // BF16.
    for (const auto & [type, tolerance] :
         {std::pair<ggml_type, double>{GGML_TYPE_F16, 2e-3}, {GGML_TYPE_BF16, 1.5e-2}}) {
        const ggml_type narrow = type;
        add(
            std::string("a frozen weight of type ") + ggml_type_name(narrow),
            [=](leaves & l) { return ggml_mul_mat(l.ctx(), l.typed(narrow, {8, 4}), l.parameter({8, 3})); }, 1.0,
            tolerance);
        add(
            std::string("frozen, batched and grouped, of type ") + ggml_type_name(narrow),
            [=](leaves & l) { return ggml_mul_mat(l.ctx(), l.typed(narrow, {8, 4, 2}), l.parameter({8, 3, 4})); }, 1.0,
            tolerance);
    }
    add(
        "keys cast to F16",
        [](leaves & l) {
            ggml_tensor * k = ggml_permute(l.ctx(), l.parameter({4, 2, 5}), 0, 2, 1, 3);
            return ggml_mul_mat(l.ctx(), ggml_cast(l.ctx(), k, GGML_TYPE_F16), l.parameter({4, 3, 4}));
        },
        1.0, 2e-3);
    return cases;
}

}
