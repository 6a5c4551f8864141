#include "autodiff/op-cases.h"

namespace op_cases {

namespace {

constexpr size_t f = sizeof(float);

void add_rows(std::vector<op_case> & cases) {
    const auto add = [&](const std::string & name, std::function<ggml_tensor *(leaves &)> build) {
        cases.push_back({"SET_ROWS", name, std::move(build)});
    };
    // The op overwrites its destination, which must be a node of the graph: a second run would otherwise start from the
    // result of the first.
    add("rows of a table", [](leaves & l) {
        ggml_tensor * table = ggml_scale(l.ctx(), l.parameter({4, 6}), 2.0f);
        return squared(l, ggml_set_rows(l.ctx(), table, l.parameter({4, 3}), l.indices({3}, {5, 0, 2})));
    });
    add("only the rows are trained, one table per batch", [](leaves & l) {
        ggml_tensor * table = ggml_scale(l.ctx(), l.constant({3, 5, 2}), 2.0f);
        return squared(l, ggml_set_rows(l.ctx(), table, l.parameter({3, 2, 2}), l.indices({2, 2}, {4, 1, 0, 3})));
    });
    add("only the table is trained", [](leaves & l) {
        ggml_tensor * table = ggml_scale(l.ctx(), l.parameter({3, 5, 2}), 2.0f);
        return squared(l, ggml_set_rows(l.ctx(), table, l.constant({3, 2, 2}), l.indices({2, 2}, {4, 1, 0, 3})));
    });
    add("the same rows of every batch", [](leaves & l) {
        ggml_tensor * table = ggml_scale(l.ctx(), l.parameter({3, 5, 2, 2}), 2.0f);
        return squared(l, ggml_set_rows(l.ctx(), table, l.parameter({3, 2, 2, 2}), l.indices({2}, {4, 1})));
    });
    add("64-bit row indices, as for a KV cache", [](leaves & l) {
        ggml_tensor * table = ggml_scale(l.ctx(), l.parameter({3, 5}), 2.0f);
        ggml_tensor * rows = l.long_indices({3}, {4, 0, 1});
        return squared(l, ggml_set_rows(l.ctx(), table, l.parameter({3, 3}), rows));
    });
    add("elements of a mask", [](leaves & l) { // like the keys that a token selects
        ggml_tensor * mask = ggml_scale(l.ctx(), l.parameter({1, 6, 3}), 2.0f);
        return squared(l, ggml_set_rows(l.ctx(), mask, l.parameter({1, 2, 3}), l.indices({2, 3}, {4, 1, 0, 5, 2, 3})));
    });
}

}

std::vector<op_case> window() {
    std::vector<op_case> cases;
    cases.push_back({"PAD", "at the end", [](leaves & l) {
                         return squared(l, ggml_pad(l.ctx(), ggml_sqr(l.ctx(), l.parameter({3, 4, 2})), 2, 1, 0, 3));
                     }});
    cases.push_back({"PAD", "on both sides", [](leaves & l) {
                         return squared(l, ggml_pad_ext(l.ctx(), l.parameter({3, 2, 2, 2}), 1, 2, 2, 0, 1, 1, 0, 1));
                     }});
    cases.push_back({"PAD", "of a permuted tensor", [](leaves & l) {
                         ggml_tensor * x = ggml_permute(l.ctx(), l.parameter({3, 2, 4}), 0, 2, 1, 3);
                         return squared(l, ggml_pad(l.ctx(), x, 0, 3, 0, 0));
                     }});
    cases.push_back({"ROLL", "in every dimension", [](leaves & l) {
                         return squared(l, ggml_roll(l.ctx(), l.parameter({5, 4, 3, 2}), 2, -1, 1, 1));
                     }});
    cases.push_back({"SET", "a block of rows", [](leaves & l) {
                         ggml_tensor * a = ggml_sqr(l.ctx(), l.parameter({4, 5}));
                         return squared(
                             l, ggml_set(l.ctx(), a, l.parameter({4, 2}), a->nb[1], a->nb[2], a->nb[3], 2 * a->nb[1]));
                     }});
    cases.push_back({"SET", "one matrix of each batch after another", [](leaves & l) { // like the chunks of a delta net
                         ggml_tensor * a = ggml_sqr(l.ctx(), l.parameter({3, 2, 3, 2}));
                         for (int64_t i = 0; i < 2; i++) {
                             a = ggml_set(l.ctx(), a, l.parameter({3, 2, 1, 2}), a->nb[1], a->nb[2], a->nb[3],
                                          i * a->nb[2]);
                         }
                         return squared(l, a);
                     }});
    const auto chain = [&](const std::string & name, int dim, std::vector<int64_t> order) {
        cases.push_back(
            {"SET", name, [=](leaves & l) {
                 std::vector<int64_t> whole{4, 2, 3, 2};
                 // more writes than slices overwrite all of the first tensor
                 const bool overwritten = int64_t(order.size()) > whole[size_t(dim)];
                 ggml_tensor * a = ggml_sqr(l.ctx(), overwritten ? l.constant(whole) : l.parameter(whole));
                 ggml_tensor * before = nullptr;
                 std::vector<int64_t> ne{4, 2, 3, 2};
                 ne[size_t(dim)] = 1;
                 for (const int64_t i : order) {
                     before = a;
                     a = ggml_set(l.ctx(), a, l.parameter(ne), a->nb[1], a->nb[2], a->nb[3], size_t(i) * a->nb[dim]);
                 }
                 // the tensor that the last SET overwrites has other readers too
                 return ggml_mul(l.ctx(), squared(l, a), ggml_scale_bias(l.ctx(), squared(l, before), 0.3f, 1.0f));
             }});
    };
    chain("the whole tensor, slice by slice", 2, {0, 2, 1});
    chain("the whole tensor, along the last dimension", 3, {1, 0});
    chain("one slice twice, another one never", 2, {0, 1, 1});
    chain("more writes than slices", 3, {0, 1, 0});
    cases.push_back({"SET", "some elements of a row", [](leaves & l) {
                         return squared(l, ggml_set_1d(l.ctx(), l.parameter({4, 3}), l.parameter({5}), 3 * f));
                     }});
    cases.push_back({"ACC", "a block inside", [](leaves & l) {
                         ggml_tensor * a = l.parameter({4, 5, 2});
                         return squared(l, ggml_acc(l.ctx(), a, l.parameter({2, 3, 2}), a->nb[1], a->nb[2], a->nb[3],
                                                    a->nb[1] + f));
                     }});
    cases.push_back({"ACC", "to a tensor that is not trained", [](leaves & l) {
                         ggml_tensor * a = l.constant({4, 5});
                         return squared(l, ggml_acc(l.ctx(), a, l.parameter({4, 2}), a->nb[1], a->nb[2], a->nb[3], 0));
                     }});
    cases.push_back({"SUM_ROWS", "one sum per matrix, then permuted", [](leaves & l) {
                         ggml_tensor * sums = ggml_sum_rows(l.ctx(), l.parameter({5, 1, 3})); // [1, 1, 3]
                         return squared(l, ggml_cont(l.ctx(), ggml_permute(l.ctx(), sums, 2, 1, 0, 3)));
                     }});
    add_rows(cases);
    return cases;
}

}
