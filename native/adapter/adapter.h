#pragma once

#include "adapter/targets.h"
#include "model/load.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

struct ggml_tensor;
struct llama_adapter_lora;

namespace llamatune {

// Options of an adapter. If a value is not set, a new adapter has the default and a continued one keeps its value (see
// check_options).
struct adapter_options {
    std::optional<int32_t> rank;      // default 8
    std::optional<float> alpha;       // default 16
    std::optional<bool> rs_lora;      // scale alpha/sqrt(rank) instead of alpha/rank (arXiv 2312.03732); default false
    std::vector<std::string> targets; // see match_targets
    uint64_t seed = 42;               // of the A matrices
    std::string init = "kaiming-uniform"; // see find_adapter_init
};

// One weight W and its update: W x + scale * B (A x), scale = alpha / rank.
struct lora_pair {
    std::string name;     // of the weight
    ggml_tensor * weight; // [n_in, n_out] or, for experts, [n_in, n_out, n_expert]
    ggml_tensor * a;      // [n_in, rank] or [n_in, rank, n_expert], F32, "<name>.lora_a"
    ggml_tensor * b;      // [rank, n_out] or [rank, n_out, n_expert], F32, "<name>.lora_b"
    // For token embeddings [n_embd, n_vocab], which are looked up: a [rank, n_vocab], b [rank, n_embd].
};

// Whether the rows of a weight are looked up, not multiplied.
inline bool is_looked_up(const std::string & weight) { return weight == "token_embd.weight"; }

// A LoRA adapter in memory. It is an ordinary llama.cpp adapter (llama_set_adapters_lora takes its handle), so
// llama.cpp itself inserts it into every graph, for training and inference. It is registered with the model while it
// lives and keeps the model alive. Open contexts after it, since llama.cpp sizes their graphs by the adapters that
// exist, and free them before it.
class adapter {
public:
    struct slot {
        lora_target target;
        int64_t rank;
    };

    // Makes a new adapter and fills it by options.init, with a random stream per pair. Throws error CONFIG_INVALID,
    // OUT_OF_MEMORY and the errors of match_targets.
    static std::unique_ptr<adapter> create(std::shared_ptr<model> base, const adapter_options & options);
    // Makes an adapter of zeros, to be filled from a file. `alpha` is llama.cpp's: 0 means a scale of 1.
    static std::unique_ptr<adapter> zeros(std::shared_ptr<model> base, std::vector<slot> slots, float alpha,
                                          std::optional<bool> rs_lora);
    ~adapter();
    adapter(const adapter &) = delete;
    adapter & operator=(const adapter &) = delete;

    llama_adapter_lora * handle() const { return handle_; }
    const std::shared_ptr<model> & base() const { return base_; }
    const std::vector<lora_pair> & pairs() const { return pairs_; } // ordered by block and name
    float alpha() const;                                            // with rsLoRA, alpha * sqrt(rank) of the options
    std::optional<bool> rs_lora() const { return rs_lora_; }        // not set if the adapter's file does not record it
    int64_t n_parameters() const;

private:
    adapter(std::shared_ptr<model> base, std::optional<bool> rs_lora) : base_(std::move(base)), rs_lora_(rs_lora) {}
    void allocate(const std::vector<slot> & slots, float alpha);

    std::shared_ptr<model> base_;
    std::optional<bool> rs_lora_;
    llama_adapter_lora * handle_ = nullptr;
    std::vector<lora_pair> pairs_;
};

}
