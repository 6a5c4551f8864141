#pragma once

#include "cpu/kernels/executor.h"

#include <ggml.h>

#include <deque>
#include <functional>
#include <memory>
#include <vector>

namespace llamatune {

// Computes node->data from node->src[…]->data. Throws only std::bad_alloc and error.
using host_kernel = std::function<void(ggml_tensor * node, executor & exec)>;
// Computes the scratch memory of the kernel from the shapes of the node and its sources; empty: it needs little.
using host_scratch = std::function<scratch_need(const ggml_tensor * node, const executor & exec)>;

// Graph nodes that our kernels compute, in host memory. The accelerator's device runs them on its threads; a node that
// the scheduler assigns to the CPU back end instead runs there on one thread.
class host_ops {
public:
    // A new F32 node. `sources`: at most 9 tensors that the kernel reads, or writes if nothing else in the graph does.
    ggml_tensor * make(ggml_context * ctx, const char * name, std::vector<int64_t> shape,
                       const std::vector<ggml_tensor *> & sources, host_kernel kernel, host_scratch scratch = {});

    // A new node that writes into `base`, which must be one of `sources`.
    ggml_tensor * make_inplace(ggml_context * ctx, const char * name, ggml_tensor * base,
                               const std::vector<ggml_tensor *> & sources, host_kernel kernel,
                               host_scratch scratch = {});

    // Replaces what `node` computes and reads; the nodes that use it stay as they are.
    void replace(ggml_tensor * node, const char * name, const std::vector<ggml_tensor *> & sources, host_kernel kernel,
                 host_scratch scratch = {});

private:
    struct entry;
    std::deque<std::shared_ptr<entry>> entries_; // nodes point to them: they must outlive the graph
    friend bool is_host_op(const ggml_tensor *);
    friend const char * host_op_name(const ggml_tensor *);
    friend void run_host_op(ggml_tensor *, executor &);
    friend scratch_need scratch_of_host_op(const ggml_tensor *, const executor &);
};

bool is_host_op(const ggml_tensor * node);
const char * host_op_name(const ggml_tensor * node); // "LORA_LINEAR", for profiles and messages
void run_host_op(ggml_tensor * node, executor & exec);
scratch_need scratch_of_host_op(const ggml_tensor * node, const executor & exec);

}
