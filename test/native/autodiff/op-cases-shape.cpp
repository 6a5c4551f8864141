#include "autodiff/op-cases.h"

namespace op_cases {

namespace {

constexpr size_t f = sizeof(float);

void add_views(std::vector<op_case> & cases) {
    const auto add = [&](const std::string & name, std::function<ggml_tensor *(leaves &)> build) {
        cases.push_back({"VIEW", name, std::move(build)});
    };
    add("rows from the middle", [](leaves & l) {
        ggml_tensor * x = l.parameter({4, 6});
        return squared(l, ggml_view_2d(l.ctx(), x, 4, 2, x->nb[1], 3 * x->nb[1]));
    });
    add("columns from the middle", [](leaves & l) {
        ggml_tensor * x = l.parameter({6, 3, 2});
        return squared(l, ggml_view_3d(l.ctx(), x, 2, 3, 2, x->nb[1], x->nb[2], 3 * f));
    });
    add("every second row", [](leaves & l) {
        ggml_tensor * x = l.parameter({4, 6});
        return squared(l, ggml_view_2d(l.ctx(), x, 4, 3, 2 * x->nb[1], 0));
    });
    add("the whole tensor in another shape",
        [](leaves & l) { return squared(l, ggml_view_3d(l.ctx(), l.parameter({4, 6}), 2, 3, 4, 2 * f, 6 * f, 0)); });
    add("the whole tensor", [](leaves & l) { return squared(l, ggml_view_1d(l.ctx(), l.parameter({4, 6}), 24, 0)); });
    add("queries, keys and values of a fused projection", [](leaves & l) {
        // [2 query heads, 1 key head, 1 value head] of 4, 3 tokens
        ggml_tensor * x = ggml_sqr(l.ctx(), l.parameter({16, 3}));
        const auto heads = [&](int64_t n, size_t first) {
            return ggml_view_3d(l.ctx(), x, 4, n, 3, 4 * f, x->nb[1], first * 4 * f);
        };
        ggml_tensor * q = ggml_cont(l.ctx(), heads(2, 0));
        ggml_tensor * qk = ggml_mul(l.ctx(), q, ggml_cont(l.ctx(), heads(1, 2)));
        return ggml_add(l.ctx(), qk, heads(1, 3));
    });
    add("overlapping views", [](leaves & l) {
        ggml_tensor * x = ggml_sqr(l.ctx(), l.parameter({4, 6}));
        ggml_tensor * a = ggml_view_2d(l.ctx(), x, 4, 4, x->nb[1], 0);
        ggml_tensor * b = ggml_view_2d(l.ctx(), x, 4, 4, x->nb[1], 2 * x->nb[1]);
        return ggml_mul(l.ctx(), a, b);
    });
    add("a view of a view", [](leaves & l) {
        ggml_tensor * x = ggml_sqr(l.ctx(), l.parameter({8, 6}));
        ggml_tensor * outer = ggml_view_2d(l.ctx(), x, 6, 4, x->nb[1], x->nb[1] + f);
        ggml_tensor * inner = ggml_view_2d(l.ctx(), outer, 3, 2, outer->nb[1], outer->nb[1] + 2 * f);
        return squared(l, inner);
    });
    add("of a permuted tensor", [](leaves & l) {
        ggml_tensor * x = ggml_permute(l.ctx(), ggml_sqr(l.ctx(), l.parameter({4, 3, 5})), 0, 2, 1, 3); // [4, 5, 3]
        ggml_tensor * a = ggml_view_3d(l.ctx(), x, 4, 2, 3, x->nb[1], x->nb[2], 0);
        ggml_tensor * b = ggml_view_3d(l.ctx(), x, 4, 2, 3, x->nb[1], x->nb[2], 3 * x->nb[1]);
        return ggml_add(l.ctx(), ggml_sqr(l.ctx(), ggml_cont(l.ctx(), a)), ggml_cont(l.ctx(), b));
    });
    add("views of a sum and of its terms",
        [](leaves & l) { // both terms share one gradient: adding to one must not change the other
            ggml_tensor *a = ggml_sqr(l.ctx(), l.parameter({4, 3})), *b = ggml_sqr(l.ctx(), l.parameter({4, 3}));
            const auto row = [&](ggml_tensor * x, int64_t i) {
                return ggml_view_2d(l.ctx(), x, 4, 1, x->nb[1], i * x->nb[1]);
            };
            ggml_tensor * terms = ggml_mul(l.ctx(), row(a, 1), row(b, 1));
            ggml_tensor * sum = ggml_add(l.ctx(), a, b);
            return ggml_add(l.ctx(), terms, ggml_mul(l.ctx(), row(sum, 0), row(sum, 2)));
        });
    add("a view of a permuted tensor and the tensor itself", [](leaves & l) {
        ggml_tensor * x = ggml_sqr(l.ctx(), l.parameter({4, 3, 5}));
        ggml_tensor * p = ggml_permute(l.ctx(), x, 0, 2, 1, 3); // [4, 5, 3]
        ggml_tensor * first = ggml_view_3d(l.ctx(), p, 4, 1, 3, p->nb[1], p->nb[2], 2 * p->nb[1]);
        return ggml_mul(l.ctx(), ggml_cont(l.ctx(), p), ggml_cont(l.ctx(), first));
    });
}

void add_permutations(std::vector<op_case> & cases) {
    const int orders[][4] = {{0, 2, 1, 3}, {1, 2, 0, 3}, {2, 0, 1, 3}, {3, 2, 1, 0}, {1, 3, 0, 2}};
    for (const auto & o : orders) {
        const std::vector<int> axes(o, o + 4);
        cases.push_back(
            {"PERMUTE",
             "axes " + std::to_string(o[0]) + std::to_string(o[1]) + std::to_string(o[2]) + std::to_string(o[3]),
             [=](leaves & l) {
                 return squared(l,
                                ggml_permute(l.ctx(), l.parameter({2, 3, 4, 5}), axes[0], axes[1], axes[2], axes[3]));
             }});
    }
    cases.push_back({"PERMUTE", "of a permuted tensor", [](leaves & l) {
                         ggml_tensor * x = ggml_permute(l.ctx(), l.parameter({2, 3, 4}), 1, 2, 0, 3);
                         return squared(l, ggml_permute(l.ctx(), x, 0, 2, 1, 3));
                     }});
    cases.push_back(
        {"TRANSPOSE", "a matrix", [](leaves & l) { return squared(l, ggml_transpose(l.ctx(), l.parameter({4, 3}))); }});
    cases.push_back({"TRANSPOSE", "batches",
                     [](leaves & l) { return squared(l, ggml_transpose(l.ctx(), l.parameter({4, 3, 2, 2}))); }});
    cases.push_back({"RESHAPE", "to other dimensions", [](leaves & l) {
                         return squared(l, ggml_reshape_3d(l.ctx(), ggml_sqr(l.ctx(), l.parameter({6, 4})), 3, 2, 4));
                     }});
    cases.push_back({"RESHAPE", "of a leaf",
                     [](leaves & l) { return squared(l, ggml_reshape_1d(l.ctx(), l.parameter({6, 4}), 24)); }});
}

void add_copies(std::vector<op_case> & cases) {
    cases.push_back({"CONT", "of a permuted tensor", [](leaves & l) {
                         return ggml_cont(l.ctx(), ggml_permute(l.ctx(), l.parameter({4, 3, 2}), 1, 0, 2, 3));
                     }});
    cases.push_back({"CONT", "into another shape", [](leaves & l) {
                         ggml_tensor * x = ggml_permute(l.ctx(), l.parameter({4, 3, 2}), 0, 2, 1, 3);
                         return squared(l, ggml_cont_2d(l.ctx(), x, 8, 3));
                     }});
    cases.push_back(
        {"DUP", "of a tensor", [](leaves & l) { return squared(l, ggml_dup(l.ctx(), l.parameter({4, 3}))); }});
    cases.push_back({"CPY", "to F32",
                     [](leaves & l) { return squared(l, ggml_cast(l.ctx(), l.parameter({4, 3}), GGML_TYPE_F32)); }});
    // the op is linear except for the rounding to F16, so a large step is exact
    cases.push_back({"CPY", "to F16 and back",
                     [](leaves & l) {
                         return ggml_cast(l.ctx(), ggml_cast(l.ctx(), l.parameter({4, 3}), GGML_TYPE_F16),
                                          GGML_TYPE_F32);
                     },
                     0.5, 2e-3});
    cases.push_back({"CPY", "to BF16 and back",
                     [](leaves & l) {
                         return ggml_cast(l.ctx(), ggml_cast(l.ctx(), l.parameter({4, 3}), GGML_TYPE_BF16),
                                          GGML_TYPE_F32);
                     },
                     1.0, 1.5e-2});
    cases.push_back({"CPY", "into another shape", [](leaves & l) {
                         ggml_tensor * x = ggml_permute(l.ctx(), l.parameter({4, 3, 2}), 0, 2, 1, 3);
                         return squared(l, ggml_cpy(l.ctx(), x, ggml_new_tensor_2d(l.ctx(), GGML_TYPE_F32, 8, 3)));
                     }});
    cases.push_back({"REPEAT", "in every dimension", [](leaves & l) {
                         return squared(l, ggml_repeat_4d(l.ctx(), l.parameter({2, 3, 1, 2}), 4, 9, 2, 4));
                     }});
    cases.push_back({"REPEAT", "a scalar", [](leaves & l) {
                         return ggml_mul(l.ctx(), ggml_repeat_4d(l.ctx(), l.parameter({1}), 4, 3, 1, 1),
                                         l.constant({4, 3}));
                     }});
    cases.push_back({"REPEAT", "key heads for grouped queries", [](leaves & l) {
                         return squared(l, ggml_repeat_4d(l.ctx(), l.parameter({4, 1, 2, 3}), 4, 3, 2, 3));
                     }});
}

}

std::vector<op_case> shape() {
    std::vector<op_case> cases;
    add_views(cases);
    add_permutations(cases);
    add_copies(cases);
    for (int dim = 0; dim < 4; dim++) {
        cases.push_back({"CONCAT", "along dimension " + std::to_string(dim), [=](leaves & l) {
                             std::vector<int64_t> a{3, 2, 2, 2}, b = a;
                             b[dim] = 4;
                             return squared(l, ggml_concat(l.ctx(), l.parameter(a), l.parameter(b), dim));
                         }});
    }
    cases.push_back({"CONCAT", "a tensor with itself", [](leaves & l) {
                         ggml_tensor * x = l.parameter({3, 2});
                         return squared(l, ggml_concat(l.ctx(), x, x, 0));
                     }});
    cases.push_back({"CONCAT", "only the second is trained", [](leaves & l) {
                         return squared(l, ggml_concat(l.ctx(), l.constant({3, 2, 2}), l.parameter({3, 3, 2}), 1));
                     }});
    cases.push_back({"GET_ROWS", "repeated rows", [](leaves & l) {
                         return squared(
                             l, ggml_get_rows(l.ctx(), l.parameter({4, 5}), l.indices({7}, {3, 0, 3, 3, 1, 0, 4})));
                     }});
    cases.push_back({"GET_ROWS", "of a computed table", [](leaves & l) {
                         return squared(l, ggml_get_rows(l.ctx(), ggml_sqr(l.ctx(), l.parameter({4, 5})),
                                                         l.indices({3}, {4, 2, 2})));
                     }});
    cases.push_back({"GET_ROWS", "one table per batch", [](leaves & l) { // as the weights of selected experts
                         ggml_tensor * picked =
                             ggml_get_rows(l.ctx(), l.parameter({1, 5, 3}), l.indices({2, 3}, {4, 1, 0, 2, 3, 1}));
                         return squared(l, picked);
                     }});
    return cases;
}

}
