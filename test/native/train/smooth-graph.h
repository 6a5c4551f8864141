#pragma once

#include <ggml.h>

#include <deque>
#include <vector>

namespace tiny {

// Changes nodes of a forward graph on the CPU so that the slope of its loss can be measured with differences: ReLU,
// clamps, signs and top-k selections can be held on the piece on which they were at the parameters where the slope is
// measured, because differences across a corner or a jump do not converge to the slope.
class smooth_graph {
public:
    explicit smooth_graph(const std::vector<ggml_tensor *> & nodes); // must outlive the graph
    smooth_graph(const smooth_graph &) = delete;
    smooth_graph & operator=(const smooth_graph &) = delete;

    // choose: every run chooses the pieces. record: the run chooses and stores them. hold: runs use the stored ones.
    enum class pieces { choose, record, hold };
    void set(pieces mode) { mode_ = mode; }

    struct line {
        float slope, offset; // of a piece of a function that is piecewise linear
    };
    struct changed_node {
        const pieces * mode;
        ggml_tensor original; // its op and op_params
        std::vector<line> lines = {};
        std::vector<int32_t> selection = {};
    };

private:
    pieces mode_ = pieces::choose;
    std::deque<changed_node> changed_; // nodes point to them
};

}
