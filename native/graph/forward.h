#pragma once

#include "core/tensor-arena.h"
#include "data/batch.h"
#include "graph/compute.h"
#include "graph/input-memory.h"
#include "model/load.h"

#include <memory>
#include <utility>
#include <vector>

struct llama_adapter_lora;

namespace llamatune {

// llama.cpp's forward graph for one batch shape, without the cache and up to the output projection. The topology is
// fixed; set_batch() fills the inputs for each micro-batch.
class forward {
public:
    // `adapter` may be null. `context_length` is the length of the longest sequence in any micro-batch of the run (0:
    // that of the shape's rows): models with two sets of RoPE factors choose one by it. Throws error GRAPH_UNSUPPORTED
    // (an architecture whose cache or output cannot be cut), NATIVE_ASSERTION, OUT_OF_MEMORY.
    forward(std::shared_ptr<model> base, llama_adapter_lora * adapter, const batch_shape & shape,
            const compute & devices, uint32_t context_length = 0)
        : forward(std::move(base), adapter, shape, devices, context_length > 0 ? context_length : shape.sequence_length,
                  std::make_shared<input_memory>(devices.host_buffer_type())) {}
    ~forward();
    forward(const forward &) = delete;
    forward & operator=(const forward &) = delete;

    // The same graph for another shape. Both share the memory of their inputs, so set_batch() must precede every run.
    std::unique_ptr<forward> with_shape(const batch_shape & shape) const;

    const batch_shape & shape() const { return shape_; }
    size_t input_bytes() const { return inputs_->bytes(); }

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

    forward(std::shared_ptr<model> base, llama_adapter_lora * adapter, const batch_shape & shape,
            const compute & devices, uint32_t context_length, std::shared_ptr<input_memory> inputs);

    std::unique_ptr<state> state_;
    batch_shape shape_;
    const compute & devices_;
    uint32_t context_length_;
    std::shared_ptr<input_memory> inputs_;
};

}
