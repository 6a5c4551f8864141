#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace llamatune {

enum class train_mode { lora, full };

// Of products with frozen weights on the CPU: bf16 multiplies in bfloat16 and sums in F32, where the CPU has units for
// it.
enum class train_precision { f32, bf16 };

struct lora_options {
    int32_t rank = 8;
    float alpha = 16.0f;
    bool rs_lora = false;             // scale alpha/sqrt(r) instead of alpha/r (arXiv 2312.03732)
    float plus_ratio = 1.0f;          // LoRA+: learning rate of B over that of A (arXiv 2402.12354)
    std::vector<std::string> targets; // weight kinds ("attn_q") or whole tensor-name globs ("blk.*.attn_q.weight")
    std::string init_adapter;         // continue from this adapter file; empty: a fresh one
};

struct train_options {
    train_mode mode = train_mode::lora;
    lora_options lora;

    std::string train_file;      // token file
    std::string validation_file; // token file or empty
    std::string output;          // adapter (lora) or whole model (full)

    int32_t sequence_length = 512; // tokens per row
    int32_t batch_size = 8;        // rows per optimizer step
    int32_t micro_batch_size = 1;  // rows per forward/backward; divides batch_size
    bool packing = false;          // several samples per row
    bool shuffle = true;
    int32_t epochs = 1;
    uint64_t seed = 42;

    std::vector<float> learning_rates; // one per optimizer step; its length is the number of steps of the run

    float beta1 = 0.9f, beta2 = 0.999f, epsilon = 1e-8f, weight_decay = 0.0f;
    float max_gradient_norm = 1.0f; // global-norm clipping; 0: off

    int32_t evaluate_every = 0;       // optimizer steps; 0: only at the end, when there is a validation file
    std::string checkpoint_directory; // empty: none
    int32_t checkpoint_every = 0;
    bool resume = false; // continue from the newest complete checkpoint in checkpoint_directory

    train_precision precision = train_precision::f32;
    int32_t n_threads = 0;  // 0: all physical cores
    bool recompute = false; // activations are computed again in the backward pass: less memory, more time
};

// What a run will do, known before a model is loaded: the caller derives the schedule's length from it.
struct train_plan {
    uint64_t n_samples;
    uint64_t n_rows; // rows per epoch after packing
    uint64_t steps_per_epoch;
    uint64_t total_steps;
    uint64_t n_tokens;        // non-padding tokens per epoch
    uint64_t n_target_tokens; // tokens per epoch that carry a loss
};

}
