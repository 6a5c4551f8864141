#pragma once

#include "cpu/kernels/executor.h"

#include <ggml.h>

#include <deque>
#include <functional>
#include <memory>
#include <vector>

namespace llamatune {

// Fills `node` (its data, from node->src[…]->data). Throws nothing but std::bad_alloc and error.
using host_kernel = std::function<void(ggml_tensor * node, executor & on)>;

// Nodes of a graph that our own kernels compute, in memory that the CPU can read. The accelerator's device runs them on
// its threads; where the scheduler gives one to the CPU's back end instead, it runs there on one thread.
class host_ops {
public:
    // A new F32 node. `sources` are what the kernel reads or, where nothing else does, writes. At most 9.
    ggml_tensor * make(ggml_context * ctx, const char * name, std::vector<int64_t> shape,
                       const std::vector<ggml_tensor *> & sources, host_kernel kernel);

    // A new node that writes into `base`, which it must be given as a source.
    ggml_tensor * make_inplace(ggml_context * ctx, const char * name, ggml_tensor * base,
                               const std::vector<ggml_tensor *> & sources, host_kernel kernel);

    // Makes `node` one of ours: its users stay, its sources are replaced.
    void turn(ggml_tensor * node, const char * name, const std::vector<ggml_tensor *> & sources, host_kernel kernel);

private:
    struct entry;
    std::deque<std::shared_ptr<entry>> entries_; // nodes point to them: they must live as long as the graph
    friend bool is_host_op(const ggml_tensor *);
    friend const char * host_op_name(const ggml_tensor *);
    friend void run_host_op(ggml_tensor *, executor &);
};

bool is_host_op(const ggml_tensor * node);
const char * host_op_name(const ggml_tensor * node); // "LORA_LINEAR", for profiles and messages
void run_host_op(ggml_tensor * node, executor & on);

}
