#pragma once

// The CPU accelerator: oneDNN's matrix products and our own kernels, as a ggml device. The rest of the tree includes
// only this header of the folder. A build without oneDNN has accelerator-none.cpp in place of accelerator.cpp and the
// folders.

#include <ggml-backend.h>
#include <ggml.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace llamatune {

class gradients;

constexpr const char * accelerator_name = "cpu-accelerator"; // of the ggml device

// "oneDNN 3.2.0", or "" in a build without it.
std::string accelerator_library();

// Whether bfloat16 products run on this CPU's bfloat16 units and not in emulation.
bool accelerator_has_fast_bf16();

// Registers the device (type ACCEL), once per process. Its buffers are the CPU's, and llama.cpp adds it to every
// context. Does nothing in a build without oneDNN, or with LLAMATUNE_CPU_ACCELERATOR=off in the environment.
//
// A back end made with the parameter "bf16" multiplies in bfloat16 and sums in F32, except for products with a small
// dimension, such as those of LoRA pairs, which stay F32; one made with "f32" multiplies in F32. llama.cpp gives no
// parameter: a back end for inference uses bfloat16 where ggml's products round activations at least as much, runs a
// linear layer with its LoRA pair as one kernel, and runs attention. It also reads the weights that ggml lays out for
// AMX.
void register_accelerator();

// The registered device, or nullptr.
ggml_backend_dev_t accelerator_device();

struct fused_graph {
    std::vector<ggml_tensor *> nodes;    // in execution order
    std::shared_ptr<const void> kernels; // nodes point into it: it must outlive the graph
};

// Replaces groups of nodes that our kernels compute better together by one node with a gradient rule in `g`. For graphs
// in host memory that run on the device. `nodes` are in execution order, `result` is read from outside of the graph.
// Call it before mark_gradient_path(), with all trained tensors wanted in `g`. Without oneDNN: the nodes as they are.
fused_graph fuse(const std::vector<ggml_tensor *> & nodes, const ggml_tensor * result, gradients & g);

// The op's name for profiles: "LORA_LINEAR" for a fused node, otherwise ggml's.
const char * op_name(const ggml_tensor * node);

// A bare product for benchmarks: a function that multiplies x [tokens, columns] by w [columns, rows] (both row-major)
// on `n_threads` threads, with copies of the operands in oneDNN's fastest layout. Empty in a build without oneDNN.
std::function<void()> make_bare_product(int64_t tokens, int64_t columns, int64_t rows, const float * x, const float * w,
                                        bool bf16, int n_threads);

// What the host's cross-entropy writes: F32 [columns] each, allocated outside of the graph.
struct host_cross_entropy_outputs {
    ggml_tensor * losses;  // in nats, not weighted
    ggml_tensor * is_best; // 1 for a target that no logit exceeds, otherwise 0
};

// Cross-entropy of logits in host memory, in every build: what loss/objectives/cross-entropy composes of ops, in one
// kernel. With a gradient, `dlogits` overwrites the logits.
//
// logits:  F32 [n_vocab, columns], contiguous
// targets: I32 [1, columns];  weights: F32 [1, columns]
// label_smoothing must outlive the graph; null: none.
//
// Returns dlogits, F32 [n_vocab, columns]; without a gradient, a node that must run for the outputs to be written.
ggml_tensor * build_host_cross_entropy(ggml_context * ctx, ggml_tensor * logits, ggml_tensor * targets,
                                       ggml_tensor * weights, const host_cross_entropy_outputs & outputs,
                                       const float * label_smoothing, bool with_gradient);

// Cross-entropy together with the product that computes the logits, if these are W · hidden with a frozen W.
struct fused_cross_entropy {
    ggml_tensor * result = nullptr; // as of build_host_cross_entropy(), but the gradient of hidden; null: not fused
    std::shared_ptr<const void> kernels; // nodes point into it: it must outlive the graph
};

// Needs the same memory as the logits alone. Not fused without oneDNN.
fused_cross_entropy fuse_cross_entropy(ggml_context * ctx, ggml_tensor * logits, ggml_tensor * targets,
                                       ggml_tensor * weights, const host_cross_entropy_outputs & outputs,
                                       float label_smoothing, bool with_gradient);

}
