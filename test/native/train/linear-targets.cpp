#include "train/linear-targets.h"

#include "core/error.h"
#include "harness.h"
#include "tiny-batch.h"
#include "train/tiny-training.h"

#include <algorithm>

using namespace llamatune;

namespace {

bool holds(const std::vector<std::string> & names, const std::string & name) {
    return std::find(names.begin(), names.end(), name) != names.end();
}

constexpr batch_shape shape{1, 8, false};

}

TEST("train/linear targets: all-linear is every layer that a gradient reaches, except the output") {
    const auto m = tiny::arch("llama");
    const std::vector<std::string> all = expand_targets({"all-linear"}, m, shape);
    CHECK_EQ(all.size(), size_t(2 * 7));
    CHECK(!holds(all, "output.weight"));
    CHECK(holds(find_linear_targets(m, shape).trainable, "output.weight"));
    // together with other entries, and with other layer names
    CHECK_EQ(expand_targets({"output", "all-linear"}, m, shape).size(), size_t(1 + 2 * 7));
    CHECK(holds(expand_targets({"all-linear"}, tiny::arch("mamba"), shape), "blk.0.ssm_in.weight"));
    CHECK(holds(expand_targets({"all-linear"}, tiny::arch("gpt2"), shape), "blk.1.attn_qkv.weight"));
    const std::vector<std::string> mixture = expand_targets({"all-linear"}, tiny::arch("qwen3moe-moe"), shape);
    CHECK(holds(mixture, "blk.0.attn_q.weight"));
    CHECK(!holds(mixture, "blk.0.ffn_up_exps.weight") && !holds(mixture, "blk.0.ffn_gate_inp.weight"));
}

TEST("train/linear targets: weights that only feed a selection or whose pair is not read are distinguished and "
     "refused") {
    const auto m = tiny::arch("qwen4exp-moe");
    const linear_targets found = find_linear_targets(m, shape);
    CHECK(!found.trainable.empty() && !found.selecting.empty());
    for (const std::string & name : found.selecting) CHECK(name.find("indexer") != std::string::npos);
    const auto refused = [&](const std::shared_ptr<model> & of, const std::string & target, const std::string & why) {
        tiny::training_options options;
        options.targets = {target};
        try {
            tiny::training t(of, tiny_batch(*of, 1, 8), options);
            harness::fail(__FILE__, __LINE__, "TARGET_UNSUPPORTED for " + target);
        } catch (const error & e) {
            CHECK_EQ(e.code(), "TARGET_UNSUPPORTED");
            CHECK(std::string(e.what()).find(why) != std::string::npos);
        }
    };
    refused(m, found.selecting.front(), "non-differentiable selection");
    const auto minicpm = tiny::arch("minicpm3");
    refused(minicpm, find_linear_targets(minicpm, shape).unread.front(), "does not read");
}
