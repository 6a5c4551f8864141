#include "autodiff/op-cases.h"

namespace op_cases {

namespace {

void add_convolutions(std::vector<op_case> & cases) {
    const auto add = [&](const std::string & name, std::function<ggml_tensor *(leaves &)> build) {
        cases.push_back({"SSM_CONV", name, std::move(build)});
    };
    add("a kernel of four, two sequences", [](leaves & l) {
        return ggml_sqr(l.ctx(), ggml_ssm_conv(l.ctx(), l.parameter({3 + 5, 4, 2}), l.parameter({4, 4})));
    });
    add("a kernel longer than the sequence", [](leaves & l) {
        return ggml_sqr(l.ctx(), ggml_ssm_conv(l.ctx(), l.parameter({3 + 2, 3, 1}), l.parameter({4, 3})));
    });
    add("zeros before the first token, tokens as columns", [](leaves & l) { // as in llama.cpp's models
        ggml_tensor * x = ggml_sqr(l.ctx(), l.parameter({4, 6, 2}));
        ggml_tensor * in = ggml_concat(l.ctx(), l.constant({2, 4, 2}, 0.0f, 0.0f), ggml_transpose(l.ctx(), x), 0);
        return ggml_sqr(l.ctx(), ggml_ssm_conv(l.ctx(), in, l.constant({3, 4})));
    });
    add("only the kernel is trained",
        [](leaves & l) { return ggml_ssm_conv(l.ctx(), l.constant({3 + 4, 4, 3}), l.parameter({4, 4})); });
}

}

// Returns the outputs of the tokens and the final states. x, B and C are views of one tensor, as in llama.cpp's
// Mamba 2; each sequence starts from a state of a larger table.
ggml_tensor * scan(leaves & l, const scan_shape & s, bool by_head) {
    ggml_context * ctx = l.ctx();
    const int64_t d_inner = s.head_dim * s.n_head, of_group = s.d_state * s.n_group;
    ggml_tensor * states = ggml_reshape_4d(ctx, l.parameter({s.d_state * d_inner, s.n_seqs + 1}), s.d_state, s.head_dim,
                                           s.n_head, s.n_seqs + 1);
    ggml_tensor * xbc = ggml_scale(ctx, l.parameter({d_inner + 2 * of_group, s.n_t, s.n_seqs}), 1.5f);
    const auto view = [&](int64_t inner, int64_t n, int64_t offset) {
        return ggml_view_4d(ctx, xbc, inner, n, s.n_t, s.n_seqs, inner * sizeof(float), xbc->nb[1], xbc->nb[2],
                            offset * sizeof(float));
    };
    ggml_tensor * dt = ggml_scale_bias(ctx, l.parameter({s.n_head, s.n_t, s.n_seqs}), 2.0f, -0.5f);
    ggml_tensor * a = ggml_scale(ctx, l.parameter({by_head ? 1 : s.d_state, s.n_head}, 0.2f, 1.5f), -1.0f);
    std::vector<int32_t> ids;
    for (int64_t i = 0; i < s.n_seqs; i++)
        ids.push_back(int32_t(s.n_seqs - i)); // in reverse; the first state is unused
    return ggml_ssm_scan(ctx, states, view(s.head_dim, s.n_head, 0), dt, a, view(s.d_state, s.n_group, d_inner),
                         view(s.d_state, s.n_group, d_inner + of_group), l.indices({s.n_seqs}, ids), 1);
}

namespace {

void add_scans(std::vector<op_case> & cases) {
    const auto add = [&](const std::string & name, scan_shape shape, bool by_head) {
        cases.push_back(
            {"SSM_SCAN", name, [=](leaves & l) { return ggml_sqr(l.ctx(), scan(l, shape, by_head)); }, 1e-2, 2e-3});
    };
    add("Mamba", {3, 1, 5, 1, 13, 2}, false);
    add("Mamba, one token", {2, 1, 4, 1, 1, 2}, false);
    add("Mamba, heads of several channels", {3, 2, 2, 1, 6, 2}, false);
    add("Mamba 2", {3, 2, 4, 2, 9, 2}, true);
    add("Mamba 2, one token", {3, 2, 2, 1, 1, 2}, true);
    add("Mamba 2, the last chunk is not full", {2, 2, 2, 1, 64 + 64 + 3, 1}, true);
    cases.push_back({"SSM_SCAN", "only x is trained", [](leaves & l) {
                         ggml_tensor * x = l.parameter({2, 3, 5, 2});
                         ggml_tensor * state = l.constant({4, 2, 3, 2}, 0.0f, 0.0f);
                         ggml_tensor *b = l.constant({4, 1, 5, 2}), *c = l.constant({4, 1, 5, 2});
                         return ggml_sqr(l.ctx(), ggml_ssm_scan(l.ctx(), state, x, l.constant({3, 5, 2}),
                                                                l.constant({1, 3}, -1.0f, -0.1f), b, c,
                                                                l.indices({2}, {0, 1}), 1));
                     }});
}

}

std::vector<op_case> ssm() {
    std::vector<op_case> cases;
    add_convolutions(cases);
    add_scans(cases);
    return cases;
}

}
