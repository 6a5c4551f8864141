#include "autodiff/op-cases.h"

namespace op_cases {

std::vector<op_case> hyper_connection() {
    return {
        {"DSV4_HC_PRE", "weights per stream",
         [](leaves & l) { return ggml_dsv4_hc_pre(l.ctx(), l.parameter({6, 4, 5}), l.parameter({4, 5})); }},
        {"DSV4_HC_PRE", "a view of streams",
         [](leaves & l) {
             ggml_tensor * wide = l.parameter({6, 5, 3});
             ggml_tensor * x = ggml_view_3d(l.ctx(), wide, 6, 4, 3, wide->nb[1], wide->nb[2], wide->nb[1]);
             return ggml_dsv4_hc_pre(l.ctx(), x, l.parameter({4, 3}));
         }},
        {"DSV4_HC_PRE", "gates per element, scaled",
         [](leaves & l) {
             return ggml_dsv4_hc_pre_gated(l.ctx(), l.parameter({6, 2, 5}), l.parameter({6, 2, 5}), 0.7f);
         }},
    };
}

}
