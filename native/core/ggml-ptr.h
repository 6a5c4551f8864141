#pragma once

// Owning pointers for ggml objects: ggml_context_ptr, ggml_backend_ptr, ggml_backend_buffer_ptr,
// ggml_backend_sched_ptr, gguf_context_ptr (ggml's own), and a few that it lacks.
#include <ggml-cpp.h>
