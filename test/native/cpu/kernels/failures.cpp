// An exception of a kernel reaches the caller unchanged, whichever back end and thread the kernel runs on.

#include "core/ggml-ptr.h"
#include "cpu/accelerator.h"
#include "cpu/kernels/host-op.h"
#include "harness.h"

#include <ggml-backend.h>

using namespace llamatune;

TEST("cpu/kernels: a failed assertion in a kernel is NATIVE_ASSERTION, and the back end can be used again") {
    const ggml_context_ptr ctx{ggml_init({8 * ggml_tensor_overhead() + ggml_graph_overhead(), nullptr, true})};
    int64_t failing_piece = -1;
    host_ops ops;
    ggml_tensor * node = ops.make(ctx.get(), "FAILS", {4}, {}, [&](ggml_tensor *, executor & exec) {
        exec.run(8, [&](int64_t piece, int) { GGML_ASSERT(piece != failing_piece); });
    });
    ggml_cgraph * graph = ggml_new_graph(ctx.get());
    ggml_build_forward_expand(graph, node);
    const ggml_backend_ptr cpu{ggml_backend_init_by_type(GGML_BACKEND_DEVICE_TYPE_CPU, nullptr)};
    const ggml_backend_buffer_ptr memory{ggml_backend_alloc_ctx_tensors(ctx.get(), cpu.get())};
    const ggml_backend_ptr accelerator{ggml_backend_dev_init(accelerator_device(), "f32")};
    for (ggml_backend_t backend : {accelerator.get(), cpu.get()}) {
        for (failing_piece = 0; failing_piece < 8; failing_piece++) {
            CHECK_ERROR("NATIVE_ASSERTION", ggml_backend_graph_compute(backend, graph));
        }
        CHECK_EQ(int(ggml_backend_graph_compute(backend, graph)), int(GGML_STATUS_SUCCESS));
    }
}
