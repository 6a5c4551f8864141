#pragma once

#include "core/ggml-ptr.h"

#include <gguf.h>

#include <cstdint>
#include <string>
#include <vector>

namespace llamatune {

// What each kind of trouble is called: a model and an adapter name theirs differently.
struct gguf_error_codes {
    std::string what; // "model", "adapter", …
    std::string not_found, unreadable, invalid, truncated;
};

extern const gguf_error_codes model_error_codes; // MODEL_NOT_FOUND, MODEL_UNREADABLE, NOT_A_GGUF, MODEL_TRUNCATED
extern const gguf_error_codes
    adapter_error_codes; // ADAPTER_NOT_FOUND, ADAPTER_UNREADABLE, ADAPTER_INVALID (the last two)

// The metadata of a GGUF file, after a check that the file holds all the tensor data it announces.
gguf_context_ptr open_gguf(const std::string & path, const gguf_error_codes & codes = model_error_codes);

// Values by key; `fallback` where the key is absent or of another type (ggml's own getters end the process then).
std::string gguf_string(const gguf_context * gguf, const char * key, const std::string & fallback = {});
int64_t gguf_integer(const gguf_context * gguf, const char * key, int64_t fallback);
bool gguf_boolean(const gguf_context * gguf, const char * key, bool fallback);
std::vector<std::string> gguf_strings(const gguf_context * gguf, const char * key);

}
