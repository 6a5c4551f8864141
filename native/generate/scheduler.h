#pragma once

#include "generate/context.h"
#include "generate/generate.h"
#include "generate/sequence.h"

#include <deque>
#include <memory>
#include <optional>
#include <vector>

namespace llamatune {

// Continuous batching: decodes up to `parallel` sequences together, and gives the place of a finished one to a waiting
// sample at once.
//
// Each sequence has its own part of the cache, a slot, so that a token attends to its own sequence only, in the order
// of positions, and its result depends on no other sequence. A slot keeps the tokens of its last sequence: a new prompt
// that begins with the same tokens copies them instead of computing them.
class scheduler {
public:
    scheduler(const std::shared_ptr<model> & base, const generate_options & options, prompt_queue & prompts,
              const generation_sink & sink, const std::atomic<bool> & stop);

    generation_totals run();

private:
    struct waiting_sample {
        std::shared_ptr<const prompt> source;
        int32_t sample_index;
    };
    struct slot {
        std::unique_ptr<sequence> active;     // null: free
        std::shared_ptr<const prompt> source; // the slot's part of the cache begins with its tokens; null: it is empty
    };
    // The prompt that was computed last, for its other samples.
    struct computed_prompt {
        std::shared_ptr<const prompt> source;
        std::vector<float> logits;
    };

    bool receive();
    void cancel(const prompt_queue::cancellation & c);
    void admit();
    void open_context();
    void open_slots();
    void start(size_t s, const waiting_sample & sample);
    size_t shared_length(const slot & from, const prompt & p) const;
    size_t copy_prefix(size_t s, const prompt & p);
    void keep_computed(size_t s, const std::shared_ptr<const prompt> & p);
    void compact();
    void step();
    void draw(size_t s, const float * logits);
    void send_result(sequence_result result);
    void send_failure(const waiting_sample & sample, finish_reason reason, const sequence_error * failure);

    std::shared_ptr<model> model_;
    const generate_options & options_;
    prompt_queue & prompts_;
    const generation_sink & sink_;
    const std::atomic<bool> & stop_;
    const sequence::clock::time_point started_ = sequence::clock::now();
    const loaded_adapters adapters_;
    std::optional<expert_counter> counts_; // only with options.expert_statistics
    const bool can_rewind_;                // the model's memory can forget the last tokens of a sequence
    bool keeps_state_ = false;             // the sequence after those of the slots holds the state of `computed_`

    std::deque<waiting_sample> waiting_;
    std::unique_ptr<inference_context> context_;
    int64_t n_ctx_ = 0; // tokens that a slot holds
    std::vector<slot> slots_;
    size_t n_active_ = 0; // active slots come first
    computed_prompt computed_;
    generation_totals totals_;
    bool closed_ = false;
};

}
