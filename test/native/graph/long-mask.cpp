#include "harness.h"
#include "model/tiny-models.h"
#include "tiny-batch.h"
#include "train/tiny-training.h"

#include <algorithm>
#include <cmath>

using namespace llamatune;

TEST("graph/forward: the mask of a long row is F16, and hides what follows a token as that of a short row does") {
    constexpr int64_t n_long = 6144, n_short = 256;
    const auto m = tiny::arch("llama");
    micro_batch whole = tiny_batch(*m, 1, n_long), start = tiny_batch(*m, 1, n_short);
    std::copy_n(whole.tokens.begin(), n_short, start.tokens.begin());
    start.target_token.assign(whole.target_token.begin(), whole.target_token.begin() + n_short - 1);
    for (micro_batch * batch : {&whole, &start}) {
        batch->target_position.resize(n_short - 1);
        batch->target_token.resize(n_short - 1);
        batch->target_weight.resize(n_short - 1);
    }
    tiny::training of_whole(m, whole, {}), of_start(m, start, {});
    bool narrow = false;
    ggml_cgraph * graph = of_whole.graphs().trunk;
    for (int i = 0; i < ggml_graph_n_nodes(graph); i++) {
        for (const ggml_tensor * source : ggml_graph_node(graph, i)->src) {
            narrow = narrow ||
                     (source && source->type == GGML_TYPE_F16 && source->ne[0] == n_long && source->ne[1] == n_long);
        }
    }
    CHECK(narrow);
    const double weight = 1.0 / (n_short - 1), expected = of_start.run(start, weight);
    CHECK(std::abs(of_whole.run(whole, weight) - expected) <= 1e-6 * expected);
}
