#pragma once

#include <gguf.h>

#include <functional>
#include <string>

namespace harness {

// Copies the GGUF file `from` to `to`, with its header changed by ggml's functions, and returns `to`.
std::string edited_gguf(const std::string & from, const std::string & to,
                        const std::function<void(gguf_context *)> & edit);

}
