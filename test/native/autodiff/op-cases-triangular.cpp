#include "autodiff/op-cases.h"

namespace op_cases {

namespace {

// Makes a lower triangular matrix [n, n, b2, b3] from a leaf; its diagonal stays away from zero.
ggml_tensor * lower(leaves & l, int64_t n, int64_t b2, int64_t b3, bool trained) {
    const std::vector<int64_t> ne{n, n, b2, b3};
    ggml_tensor * below = ggml_tri(l.ctx(), trained ? l.parameter(ne) : l.constant(ne), GGML_TRI_TYPE_LOWER);
    ggml_tensor * diagonal = ggml_diag(l.ctx(), l.constant({n, 1, b2, b3}, 1.0f, 2.0f));
    return ggml_add(l.ctx(), below, diagonal);
}

}

std::vector<op_case> triangular() {
    std::vector<op_case> cases;
    cases.push_back({"CUMSUM", "one element per row", [](leaves & l) {
                         return ggml_sqr(l.ctx(), ggml_cumsum(l.ctx(), ggml_sqr(l.ctx(), l.parameter({1, 4}))));
                     }});
    cases.push_back({"CUMSUM", "rows of batches",
                     [](leaves & l) { return ggml_sqr(l.ctx(), ggml_cumsum(l.ctx(), l.parameter({7, 3, 2, 2}))); }});
    const std::pair<const char *, ggml_tri_type> kinds[] = {{"upper with the diagonal", GGML_TRI_TYPE_UPPER_DIAG},
                                                            {"upper", GGML_TRI_TYPE_UPPER},
                                                            {"lower with the diagonal", GGML_TRI_TYPE_LOWER_DIAG},
                                                            {"lower", GGML_TRI_TYPE_LOWER}};
    for (const auto & [name, kind] : kinds) {
        cases.push_back({"TRI", name, [kind = kind](leaves & l) {
                             return ggml_sqr(l.ctx(), ggml_tri(l.ctx(), l.parameter({4, 4, 2, 2}), kind));
                         }});
    }
    cases.push_back({"DIAG", "batches",
                     [](leaves & l) { return ggml_sqr(l.ctx(), ggml_diag(l.ctx(), l.parameter({4, 1, 2, 3}))); }});
    cases.push_back({"SOLVE_TRI", "one right-hand side", [](leaves & l) {
                         ggml_tensor * x =
                             ggml_solve_tri(l.ctx(), lower(l, 4, 1, 1, true), l.parameter({1, 4}), true, true, false);
                         return ggml_sqr(l.ctx(), x);
                     }});
    cases.push_back({"SOLVE_TRI", "batches", [](leaves & l) {
                         ggml_tensor * x = ggml_solve_tri(l.ctx(), lower(l, 5, 2, 3, true), l.parameter({3, 5, 2, 3}),
                                                          true, true, false);
                         return ggml_sqr(l.ctx(), x);
                     }});
    cases.push_back({"SOLVE_TRI", "the matrix is not trained", [](leaves & l) {
                         ggml_tensor * x = ggml_solve_tri(l.ctx(), lower(l, 6, 1, 2, false), l.parameter({6, 6, 1, 2}),
                                                          true, true, false);
                         return ggml_sqr(l.ctx(), x);
                     }});
    cases.push_back({"SOLVE_TRI", "the right-hand side is the matrix, as in a delta net", [](leaves & l) {
                         ggml_tensor * a = ggml_tri(l.ctx(), l.parameter({6, 6, 2, 1}), GGML_TRI_TYPE_LOWER);
                         ggml_tensor * identity = ggml_diag(l.ctx(), l.constant({6}, 1.0f, 1.0f));
                         ggml_tensor * x = ggml_solve_tri(l.ctx(), ggml_add(l.ctx(), a, identity), ggml_neg(l.ctx(), a),
                                                          true, true, false);
                         return ggml_sqr(l.ctx(), ggml_add(l.ctx(), x, identity));
                     }});
    return cases;
}

}
