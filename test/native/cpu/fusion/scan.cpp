// Scans of state-space models by our own kernels, against ggml's forward and the composed rules.

#include "cpu/fusion/against-composed.h"
#include "harness.h"

using fused::expect_same;
using op_cases::leaves;
using op_cases::scan;
using op_cases::scan_shape;

namespace {

// The forward pass of heads that decay alike stays ggml's.
const std::vector<std::string> both{"SSM_SCAN", "SSM_SCAN_BACK"}, backward{"SSM_SCAN_BACK"};

void expect_same_scan(const char * name, const scan_shape & shape, bool by_head) {
    expect_same(name, by_head ? backward : both, [=](leaves & l) { return scan(l, shape, by_head); }, 1e-6, 2e-5);
}

}

TEST("cpu/fusion/scan: states with different decay rates, of sizes that are not multiples of a vector or a tile") {
    expect_same_scan("one vector", {16, 1, 40, 1, 70, 2}, false);
    expect_same_scan("part of a vector", {3, 1, 17, 1, 33, 2}, false);
    expect_same_scan("more than one", {21, 1, 5, 1, 9, 1}, false);
    expect_same_scan("heads of several channels", {8, 3, 7, 1, 32, 2}, false);
    expect_same_scan("one token", {16, 1, 20, 1, 1, 3}, false);
}

TEST("cpu/fusion/scan: one decay per head, in groups") {
    expect_same_scan("as a model has them", {64, 32, 4, 2, 100, 2}, true);
    expect_same_scan("a head larger than a tile, not a multiple", {5, 20, 3, 1, 65, 1}, true);
    expect_same_scan("small heads", {7, 3, 12, 3, 31, 2}, true);
    expect_same_scan("heads of one channel", {16, 1, 40, 4, 64, 1}, true);
    expect_same_scan("one token", {16, 8, 4, 1, 1, 2}, true);
}

namespace {

struct net_shape {
    int64_t size, n_key_head, n_head, n_t, n_seqs;
    bool rate_per_key;
};

ggml_tensor * delta_net(leaves & l, const net_shape & s) {
    const auto tensor = [&](int64_t size, int64_t heads, float lo, float hi) {
        return l.parameter({size, heads, s.n_t, s.n_seqs}, lo, hi);
    };
    // queries and keys of one projection, as views
    const float width = 1.5f / std::sqrt(float(s.size)); // of keys, about as long as a norm makes them
    ggml_tensor * qk = tensor(2 * s.size, s.n_key_head, -width, width);
    const auto half = [&](int64_t i) {
        return ggml_view_4d(l.ctx(), qk, s.size, s.n_key_head, s.n_t, s.n_seqs, qk->nb[1], qk->nb[2], qk->nb[3],
                            size_t(i * s.size) * sizeof(float));
    };
    ggml_tensor *v = tensor(s.size, s.n_head, -1, 1),
                *gate = tensor(s.rate_per_key ? s.size : 1, s.n_head, -1.5f, -0.01f);
    ggml_tensor * beta = tensor(1, s.n_head, 0.1f, 0.9f);
    ggml_tensor * state = l.parameter({s.size, s.size, s.n_head, s.n_seqs});
    return ggml_gated_delta_net(l.ctx(), half(0), half(1), v, gate, beta, state, 1);
}

}

TEST("cpu/fusion/scan: gated delta nets, one decay per head or per key") {
    const net_shape shapes[] = {
        {64, 2, 4, 66, 2, false}, {64, 2, 2, 33, 1, true}, {16, 3, 6, 32, 2, true}, {32, 1, 1, 1, 2, false}};
    for (const net_shape & s : shapes) {
        expect_same("a net", {"GATED_DELTA_NET_BACK"}, [=](leaves & l) { return delta_net(l, s); }, 1e-6, 5e-5);
    }
}
