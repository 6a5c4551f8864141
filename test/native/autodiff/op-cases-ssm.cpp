#include "autodiff/op-cases.h"

namespace op_cases {

namespace {

void add_convolutions(std::vector<op_case> & cases) {
    const auto add = [&](const std::string & name, std::function<ggml_tensor *(leaves &)> build) {
        cases.push_back({"SSM_CONV", name, std::move(build)});
    };
    add("four taps, two sequences", [](leaves & l) {
        return ggml_sqr(l.ctx(), ggml_ssm_conv(l.ctx(), l.parameter({3 + 5, 4, 2}), l.parameter({4, 4})));
    });
    add("more taps than tokens", [](leaves & l) {
        return ggml_sqr(l.ctx(), ggml_ssm_conv(l.ctx(), l.parameter({3 + 2, 3, 1}), l.parameter({4, 3})));
    });
    add("a past of zeros, then tokens as columns", [](leaves & l) { // as llama.cpp's models have it
        ggml_tensor * x = ggml_sqr(l.ctx(), l.parameter({4, 6, 2}));
        ggml_tensor * in = ggml_concat(l.ctx(), l.constant({2, 4, 2}, 0.0f, 0.0f), ggml_transpose(l.ctx(), x), 0);
        return ggml_sqr(l.ctx(), ggml_ssm_conv(l.ctx(), in, l.constant({3, 4})));
    });
    add("only the taps are trained",
        [](leaves & l) { return ggml_ssm_conv(l.ctx(), l.constant({3 + 4, 4, 3}), l.parameter({4, 4})); });
}

}

std::vector<op_case> ssm() {
    std::vector<op_case> cases;
    add_convolutions(cases);
    return cases;
}

}
