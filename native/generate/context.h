#pragma once

#include "core/enum-names.h"
#include "generate/adapters.h"
#include "model/expert-counter.h"
#include "model/load.h"

#include <atomic>
#include <cstdint>
#include <memory>
#include <vector>

struct ggml_threadpool;
struct llama_batch;
struct llama_context;

namespace llamatune {

enum class flash_attention { automatic, on, off };

inline constexpr enum_name<flash_attention> flash_attention_names[] = {
    {flash_attention::automatic, "auto"}, {flash_attention::on, "on"}, {flash_attention::off, "off"}};
constexpr auto & names_of(flash_attention) { return flash_attention_names; }

struct context_options {
    int32_t n_ctx; // tokens that the cache holds for each sequence; with share_cache, for all sequences together
    int32_t n_batch = 512;
    int32_t n_threads = 0; // 0: all physical cores
    int32_t n_sequences = 1;
    flash_attention attention = flash_attention::automatic; // automatic: if the devices support it
    expert_counter * experts = nullptr;                     // counts the chosen experts of every pass; slower
    // Sequences can share the cells of a common beginning. The cells are F32, as if there were no cache.
    bool share_cache = false;
    int32_t n_outputs = 0;   // most logits of a pass; 0: one per sequence
    bool embeddings = false; // every token has the last hidden state as output
};

// On the CPU the kernels depend on the number of tokens of a pass and round differently, but within the passes of less
// than most_step_tokens + 1, and of at least least_prompt_pass tokens, the result for a token does not depend on the
// other tokens of its pass.
constexpr int32_t most_step_tokens = 31;
constexpr int32_t least_prompt_pass = 64;

// The next token of a sequence and its position.
struct next_token {
    int32_t sequence;
    int32_t position;
    int32_t token;
};

// An inference context on a shared model, with adapters.
class inference_context {
public:
    // Throws error OUT_OF_MEMORY, UNSUPPORTED_ARCHITECTURE, FLASH_ATTENTION_UNSUPPORTED, NATIVE_ASSERTION,
    // GENERATION_FAILED.
    inference_context(const std::shared_ptr<model> & base, const context_options & options,
                      const loaded_adapters * adapters, const std::atomic<bool> & stop);
    ~inference_context();
    inference_context(const inference_context &) = delete;
    inference_context & operator=(const inference_context &) = delete;

    // Runs one forward pass at the next positions, with logits of the last token only. Throws error ABORTED,
    // GENERATION_FAILED.
    void decode(const int32_t * tokens, int32_t n_tokens);
    // Runs any number of tokens, in batches of n_batch.
    void decode_all(const int32_t * tokens, size_t n_tokens);
    // Runs tokens of one sequence from `position` on, in batches of at most n_batch, with logits of the last token
    // only. If there are at least least_prompt_pass, so has each pass (for an n_batch of twice as many).
    void decode_prompt(int32_t sequence, int32_t position, const int32_t * tokens, size_t n_tokens);
    // Adds a token to the next pass of at most n_batch tokens, and runs the pass.
    void add(const next_token & token, bool output);
    int32_t n_added() const { return int32_t(tokens_.size()); }
    void run_added();
    // Runs one token of each of several sequences, which have consecutive numbers, in one pass.
    void decode_step(const std::vector<next_token> & tokens);
    // The logits of the i-th token of the last pass, which must be an output, or of the last output (-1).
    const float * logits(int32_t i) const;
    // The last hidden state of the i-th token of the last pass, with context_options::embeddings: [n_embd].
    const float * hidden_state(int32_t i) const;

    void clear(); // forgets all tokens
    // Replaces the tokens of a sequence by those of another one.
    void copy(int32_t from, int32_t to);
    // Forgets the tokens from `position` on. Returns false if the model's memory cannot be rewound to that position.
    bool rewind(int32_t sequence, int32_t position);
    bool uses_flash_attention() const;
    // Whether a prompt may be computed in parts without changing its result: attention without flash attention chooses
    // its kernels by the number of tokens.
    bool splits_exactly() const { return uses_flash_attention(); }

    llama_context * handle() const { return handle_; }

private:
    void check_stop() const;
    void run(const llama_batch & batch);

    struct threads_deleter {
        void operator()(ggml_threadpool * threads) const;
    };
    using threads = std::unique_ptr<ggml_threadpool, threads_deleter>;
    static threads cpu_threads(int32_t n_threads, uint32_t poll);

    const std::atomic<bool> & stop_;
    int32_t n_batch_;
    threads token_threads_, batch_threads_; // outlive the context
    llama_context * handle_ = nullptr;

    // The batch of the next pass.
    std::vector<int32_t> tokens_, positions_, sequences_;
    std::vector<int8_t> outputs_;
};

// Opens a context in which sequences share a cache. llama.cpp's graphs of a few recurrent architectures hold one
// sequence only: options.n_sequences becomes 1 for these.
std::unique_ptr<inference_context> open_shared_context(const std::shared_ptr<model> & base, context_options & options,
                                                       const loaded_adapters & adapters,
                                                       const std::atomic<bool> & stop);

}
