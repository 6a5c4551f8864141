#pragma once

// ggml's owning pointers: ggml_context_ptr, ggml_backend_ptr, ggml_backend_buffer_ptr, ggml_backend_sched_ptr and
// gguf_context_ptr.
#include <ggml-cpp.h>
