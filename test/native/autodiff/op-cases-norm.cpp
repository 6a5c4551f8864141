#include "autodiff/op-cases.h"

namespace op_cases {

std::vector<op_case> norm() {
    std::vector<op_case> cases;
    using op = ggml_tensor * (*)(ggml_context *, ggml_tensor *, float);
    for (const auto & [rule, apply] : {std::pair<const char *, op>{"RMS_NORM", ggml_rms_norm}, {"NORM", ggml_norm}}) {
        const op normalize = apply;
        cases.push_back(
            {rule, "4 dimensions", [=](leaves & l) { return normalize(l.ctx(), l.parameter({6, 3, 2, 2}), 1e-5f); }});
        cases.push_back(
            {rule, "a large epsilon", [=](leaves & l) { return normalize(l.ctx(), l.parameter({6, 3}), 0.5f); }});
        cases.push_back({rule, "large values",
                         [=](leaves & l) { return normalize(l.ctx(), l.parameter({6, 3}, -300.0f, 500.0f), 1e-6f); },
                         1.0, 2e-3});
        cases.push_back({rule, "heads in a fused projection",
                         [=](leaves & l) { // q norm of a fused QKV
                             ggml_tensor * fused = l.parameter({16, 3});
                             return normalize(l.ctx(),
                                              ggml_view_3d(l.ctx(), fused, 4, 2, 3, 4 * sizeof(float), fused->nb[1],
                                                           4 * sizeof(float)),
                                              1e-5f);
                         },
                         3e-3});
        cases.push_back({rule, "followed by a weight", [=](leaves & l) {
                             return ggml_mul(l.ctx(), normalize(l.ctx(), l.parameter({6, 4}), 1e-5f), l.parameter({6}));
                         }});
    }
    cases.push_back({"GROUP_NORM", "channels in groups", [](leaves & l) {
                         return ggml_mul(l.ctx(), ggml_group_norm(l.ctx(), l.parameter({3, 2, 6, 2}), 2, 1e-5f),
                                         l.parameter({3, 2, 6}));
                     }});
    cases.push_back({"GROUP_NORM", "one group per channel", [](leaves & l) {
                         return ggml_mul(l.ctx(), ggml_group_norm(l.ctx(), l.parameter({5, 1, 3}), 3, 1e-5f),
                                         l.constant({5, 1, 3}));
                     }});
    cases.push_back({"L2_NORM", "4 dimensions", [](leaves & l) {
                         return ggml_mul(l.ctx(), ggml_l2_norm(l.ctx(), l.parameter({6, 3, 2, 2}), 1e-12f),
                                         l.constant({6, 3, 2, 2}));
                     }});
    cases.push_back({"L2_NORM", "an epsilon larger than most rows",
                     [](leaves & l) {
                         return ggml_mul(l.ctx(), ggml_l2_norm(l.ctx(), l.parameter({3, 6}), 1.1f), l.constant({3, 6}));
                     },
                     1e-3});
    return cases;
}

}
