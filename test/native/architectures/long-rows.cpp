// Features that only occur in rows longer than the survey's.

#include "graph/logits.h"
#include "harness.h"
#include "tiny-batch.h"
#include "train/tiny-training.h"

using namespace llamatune;

TEST("architectures: DeepSeek V4 with 128 tokens compressed into one key") {
    const auto plain = model::load({harness::arch_model("deepseek4-moe")});
    const micro_batch long_row = tiny_batch(*plain, 1, 256);
    CHECK(logits::nmse(logits::by_training_graph(plain, long_row), logits::by_decode(*plain, long_row)) < 1e-9);

#ifdef __SANITIZE_ADDRESS__
    return; // minutes
#endif
    const auto m = tiny::arch("deepseek4-moe");
    const micro_batch batch = tiny_batch(*m, 1, 160);
    tiny::training_options options;
    options.targets = {"blk.3.attn_compressor_kv.weight", "blk.3.attn_compressor_gate.weight"}; // its ratio is 128
    tiny::training t(m, batch, options);
    tiny::expect_slopes(tiny::check_slopes(t, batch, 2e-3));
}
