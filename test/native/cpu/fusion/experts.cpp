// Products with frozen experts by our kernel against ggml's and the composed rules.

#include "cpu/fusion/against-composed.h"

#include "cpu/accelerator.h"
#include "harness.h"
#include "model/tiny-models.h"
#include "tiny-batch.h"
#include "train/tiny-training.h"

#include <tuple>

using namespace llamatune;
using op_cases::leaves;

namespace {

struct shape {
    int64_t k, m, n_expert, n_used, slots, n_tokens; // slots: 1 (a shared input) or n_used
};

ggml_tensor * product(leaves & l, ggml_type type, const shape & s) {
    ggml_tensor * w =
        type == GGML_TYPE_F32 ? l.constant({s.k, s.m, s.n_expert}) : l.typed(type, {s.k, s.m, s.n_expert});
    ggml_tensor * scores = l.constant({s.n_expert, s.n_tokens});
    return ggml_mul_mat_id(l.ctx(), w, l.parameter({s.k, s.slots, s.n_tokens}),
                           ggml_argsort_top_k(l.ctx(), scores, int(s.n_used)));
}

}

TEST("cpu/fusion/experts: forward and backward as composed, in all shapes") {
    const std::vector<std::string> ops{"EXPERT_LINEAR", "EXPERT_LINEAR_BACK"};
    for (const shape & s : {shape{64, 32, 8, 2, 1, 40},
                            {64, 32, 8, 2, 2, 40},
                            {96, 200, 4, 3, 1, 7},
                            {200, 96, 4, 3, 3, 7},
                            {32, 32, 40, 1, 1, 3},
                            {32, 300, 3, 3, 3, 150},
                            {700, 40, 16, 4, 1, 33}}) {
        fused::expect_same("F32", ops, [=](leaves & l) { return product(l, GGML_TYPE_F32, s); }, 1e-5, 1e-5);
    }
    // ggml rounds the input to 8 bits
    for (const shape & s : {shape{256, 64, 8, 2, 1, 40}, {512, 32, 8, 2, 2, 40}}) {
        for (const ggml_type type : {GGML_TYPE_Q8_0, GGML_TYPE_Q4_K}) {
            fused::expect_same("quantized", ops, [=](leaves & l) { return product(l, type, s); }, 2e-2, 1e-5);
        }
    }
}

TEST("cpu/fusion/experts: one tensor read by two products receives both gradients") {
    fused::expect_same(
        "gate and up",
        {"EXPERT_LINEAR", "EXPERT_LINEAR", "SWIGLU", "SWIGLU_BACK", "EXPERT_LINEAR_BACK", "EXPERT_LINEAR_BACK"},
        [](leaves & l) {
            ggml_tensor * x = l.parameter({64, 1, 20});
            ggml_tensor * ids = ggml_argsort_top_k(l.ctx(), l.constant({8, 20}), 2);
            ggml_tensor * gate = ggml_mul_mat_id(l.ctx(), l.constant({64, 32, 8}), x, ids);
            ggml_tensor * up = ggml_mul_mat_id(l.ctx(), l.constant({64, 32, 8}), x, ids);
            return ggml_swiglu_split(l.ctx(), gate, up);
        },
        1e-5, 1e-5);
}

namespace {

// As llama.cpp sums them up.
ggml_tensor * weighted_sum(leaves & l, ggml_tensor * results, ggml_tensor * weights) {
    ggml_tensor * weighted = ggml_mul(l.ctx(), results, weights);
    const auto slot = [&](int64_t i) {
        return ggml_view_2d(l.ctx(), weighted, results->ne[0], results->ne[2], weighted->nb[2],
                            size_t(i) * weighted->nb[1]);
    };
    ggml_tensor * sum = slot(0);
    for (int64_t i = 1; i < results->ne[1]; i++) sum = ggml_add(l.ctx(), sum, slot(i));
    return sum;
}

}

TEST("cpu/fusion/experts: the weighted sum, with the gradients of results and weights") {
    const std::vector<std::string> ops{"EXPERT_SUM", "EXPERT_WEIGHTS_BACK", "EXPERT_SUM_BACK"};
    for (const auto & [n, n_used, n_tokens] :
         {std::tuple<int64_t, int64_t, int64_t>{64, 2, 5}, {37, 3, 4}, {300, 8, 200}}) {
        fused::expect_same("both trained", ops, [n = n, n_used = n_used, n_tokens = n_tokens](leaves & l) {
            return weighted_sum(l, l.parameter({n, n_used, n_tokens}), l.parameter({1, n_used, n_tokens}));
        });
    }
    fused::expect_same("frozen results", {"EXPERT_SUM", "EXPERT_WEIGHTS_BACK"},
                       [](leaves & l) { return weighted_sum(l, l.constant({64, 2, 5}), l.parameter({1, 2, 5})); });
    fused::expect_same("a slot that something else reads too", {}, [](leaves & l) {
        ggml_tensor * sum = weighted_sum(l, l.parameter({64, 2, 5}), l.parameter({1, 2, 5}));
        return ggml_add(l.ctx(), sum, sum->src[1]);
    });
}

TEST("cpu/fusion/experts: trained experts without a gradient tensor are not fused") {
    fused::expect_same("trained", {}, [](leaves & l) {
        ggml_tensor * ids = ggml_argsort_top_k(l.ctx(), l.constant({4, 9}), 2);
        return ggml_mul_mat_id(l.ctx(), l.parameter({32, 16, 4}), l.constant({32, 1, 9}), ids);
    });
}

TEST("cpu/fusion/experts: pairs, in a whole model, give the composed gradients; padding changes nothing") {
    if (!accelerator_device()) SKIP("no CPU accelerator");
    for (const char * type : {"F32", "Q8_0"}) {
        const auto m = tiny::load("qwen3moe", type);
        micro_batch batch = tiny_batch(*m, 2, 96);
        tiny::training_options options;
        options.targets = {"ffn_gate_exps", "ffn_up_exps", "ffn_down_exps", "attn_q"};
        tiny::training ours(m, batch, options);
        options.step.gradient.rules = rule_mode::composed;
        tiny::training composed(m, batch, options);
        const double tolerance = std::string(type) == "F32" ? 1e-4 : 0.1; // ggml rounds activations to 8 bits
        CHECK(tiny::relative_error(tiny::gradients_of(ours, batch), tiny::gradients_of(composed, batch)) < tolerance);
        // the second row's last 64 tokens are padding: whole blocks of it
        batch.target_position.clear();
        batch.target_token.clear();
        batch.target_weight.clear();
        for (int i = 0; i < 100; i++) {
            batch.target_position.push_back(i);
            batch.target_token.push_back(batch.tokens[size_t(i) + 1]);
            batch.target_weight.push_back(1.0f);
        }
        for (size_t i = 128; i < 192; i++) batch.segment_id[i] = -1;
        const tiny::tensor_values padded = tiny::gradients_of(ours, batch);
        CHECK(tiny::relative_error(padded, tiny::gradients_of(composed, batch)) < tolerance);
    }
}
