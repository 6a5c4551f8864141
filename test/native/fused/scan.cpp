#ifdef LLAMATUNE_ONEDNN

// Scans of state-space models by our own kernels, against ggml's forward and the composed rules.

#include "fused/against-composed.h"
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

TEST("fused/scan: states that decay each at its own rate, of sizes that fit no vector and no tile") {
    expect_same_scan("one vector", {16, 1, 40, 1, 70, 2}, false);
    expect_same_scan("part of a vector", {3, 1, 17, 1, 33, 2}, false);
    expect_same_scan("more than one", {21, 1, 5, 1, 9, 1}, false);
    expect_same_scan("heads of several channels", {8, 3, 7, 1, 32, 2}, false);
    expect_same_scan("one token", {16, 1, 20, 1, 1, 3}, false);
}

TEST("fused/scan: heads that decay alike, in groups") {
    expect_same_scan("as a model has them", {64, 32, 4, 2, 100, 2}, true);
    expect_same_scan("a head larger than a tile, not a multiple", {5, 20, 3, 1, 65, 1}, true);
    expect_same_scan("small heads", {7, 3, 12, 3, 31, 2}, true);
    expect_same_scan("heads of one channel", {16, 1, 40, 4, 64, 1}, true);
    expect_same_scan("one token", {16, 8, 4, 1, 1, 2}, true);
}

#endif
