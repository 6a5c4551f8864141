#pragma once

#include "core/tensor-arena.h"
#include "data/batch.h"
#include "graph/compute.h"
#include "model/load.h"

#include <memory>
#include <vector>

struct llama_adapter_lora;

namespace llamatune {

struct batch_shape {
    uint32_t n_rows = 1;            // rows of a micro-batch
    uint32_t sequence_length = 512; // tokens per row
    // false: a row is one sequence, and each row attends within itself, as a separate stream.
    // true: a row may hold several segments; all rows are one stream, and llama.cpp's mask keeps the segments apart.
    bool packed = false;

    int64_t n_tokens() const { return int64_t(n_rows) * sequence_length; }
};

// llama.cpp's forward graph for one batch shape, without the cache and up to the output projection. The topology is
// fixed; set_batch() fills the inputs for each micro-batch.
class forward {
public:
    // `adapter` may be null. Throws error GRAPH_UNSUPPORTED (an architecture whose cache or output cannot be cut),
    // NATIVE_ASSERTION, OUT_OF_MEMORY.
    forward(std::shared_ptr<model> base, llama_adapter_lora * adapter, const batch_shape & shape,
            const compute & devices);
    ~forward();
    forward(const forward &) = delete;
    forward & operator=(const forward &) = delete;

    const batch_shape & shape() const { return shape_; }

    // The nodes from the embeddings to the hidden state, in execution order.
    const std::vector<ggml_tensor *> & nodes() const;
    // The input of the output projection: [n_embd, n_tokens], F32, one column per token in the micro-batch's order.
    ggml_tensor * hidden() const;

    // The output head computes logits from hidden states (projection, its adapter, scales, soft caps), for `columns`
    // tokens at a time.
    struct head {
        std::vector<ggml_tensor *> nodes;
        ggml_tensor * logits; // [n_vocab, columns]
    };
    // Builds the head in `ctx` on top of `chunk`, [n_embd, columns] F32.
    head build_head(tensor_arena & ctx, ggml_tensor * chunk) const;

    // The model's weights that the graph and its head read, each once.
    std::vector<ggml_tensor *> weights() const;

    // Fills the graph's inputs. Throws error BATCH_TOO_MANY_SEGMENTS.
    void set_batch(const micro_batch & batch);

private:
    struct state; // llama.cpp's private types stay out of this header
    std::unique_ptr<state> state_;
    batch_shape shape_;
};

}
