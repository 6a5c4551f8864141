#pragma once

#include "adapter/targets.h"
#include "model/load.h"

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

struct ggml_tensor;
struct llama_adapter_lora;

namespace llamatune {

struct adapter_options {
    int32_t rank = 8;
    float alpha = 16.0f;
    bool rs_lora = false;             // scale alpha/sqrt(rank) instead of alpha/rank (arXiv 2312.03732)
    std::vector<std::string> targets; // see match_targets
    uint64_t seed = 42;               // of the A matrices
};

// One weight W and its update: W x + scale * B (A x), scale = alpha / rank.
struct lora_pair {
    std::string name;     // of the weight
    ggml_tensor * weight; // [n_in, n_out] or, for experts, [n_in, n_out, n_expert]
    ggml_tensor * a;      // [n_in, rank] or [n_in, rank, n_expert], F32, "<name>.lora_a"
    ggml_tensor * b;      // [rank, n_out] or [rank, n_out, n_expert], F32, "<name>.lora_b"
};

// A LoRA adapter whose matrices can be trained: an ordinary llama.cpp adapter (llama_set_adapters_lora takes its
// handle), so that llama.cpp itself puts it into every graph. It is registered with the model while it lives and keeps
// the model alive; contexts are to be opened after it, since llama.cpp sizes graphs by the adapters it knows then, and
// must not use it once it is gone.
class adapter {
public:
    struct slot {
        lora_target target;
        int64_t rank;
    };

    // A fresh adapter, which changes no output: A is Kaiming-uniform (a = sqrt(5), as PEFT's), each from random
    // numbers of its own; B is zero. Throws error CONFIG_INVALID, OUT_OF_MEMORY and what match_targets throws.
    static std::unique_ptr<adapter> create(std::shared_ptr<model> base, const adapter_options & options);
    // An adapter of zeros, whose values come from elsewhere. `alpha` as llama.cpp takes it: 0 means a scale of 1.
    static std::unique_ptr<adapter> zeros(std::shared_ptr<model> base, const std::vector<slot> & slots, float alpha);
    ~adapter();
    adapter(const adapter &) = delete;
    adapter & operator=(const adapter &) = delete;

    llama_adapter_lora * handle() const { return handle_; }
    const std::shared_ptr<model> & base() const { return base_; }
    const std::vector<lora_pair> & pairs() const { return pairs_; } // ordered by block and name
    float alpha() const;                                            // alpha * sqrt(rank) of the options with rs_lora
    int64_t n_parameters() const;

private:
    explicit adapter(std::shared_ptr<model> base) : base_(std::move(base)) {}
    void allocate(const std::vector<slot> & slots, float alpha);

    std::shared_ptr<model> base_;
    llama_adapter_lora * handle_ = nullptr;
    std::vector<lora_pair> pairs_;
};

}
