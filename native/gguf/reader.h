#pragma once

#include "core/ggml-ptr.h"

#include <gguf.h>

#include <array>
#include <cstdint>
#include <fstream>
#include <functional>
#include <string>
#include <vector>

namespace llamatune {

// The error codes of one kind of GGUF file.
struct gguf_error_codes {
    std::string what; // "model", "adapter", "checkpoint"
    std::string not_found, unreadable, invalid, truncated;
    const char * damaged_hint;  // what to do about a damaged file
    const char * not_gguf_hint; // about a file of another format
};

extern const gguf_error_codes model_file;      // MODEL_NOT_FOUND, MODEL_UNREADABLE, NOT_A_GGUF, MODEL_TRUNCATED
extern const gguf_error_codes adapter_file;    // ADAPTER_NOT_FOUND, ADAPTER_UNREADABLE, ADAPTER_INVALID (both)
extern const gguf_error_codes checkpoint_file; // CHECKPOINT_NOT_FOUND, CHECKPOINT_INVALID (all others)

struct gguf_tensor {
    std::string name;
    ggml_type type;
    std::array<int64_t, 4> shape; // ggml order: shape[0] is the contiguous dimension
    uint64_t offset;              // from the start of the file
    uint64_t bytes;
};

// The tensor of a checksum (gguf_writer::add_checksum).
constexpr const char * checksum_tensor = "checksum";

// Returns a shape as text without trailing ones: "[64, 8]".
std::string shape_text(const int64_t * shape);

// Receives the bytes of a tensor in chunks.
using byte_sink = std::function<void(const void * data, size_t bytes)>;

// Reads a GGUF file: metadata by key and named tensors. The constructor checks that the file holds all tensor data that
// its header announces, so sizes and offsets can be trusted afterwards.
class gguf_reader {
public:
    // Throws error with the given codes.
    explicit gguf_reader(const std::string & path, const gguf_error_codes & codes = model_file);

    const std::string & path() const { return path_; }
    const gguf_context * metadata() const { return metadata_.get(); }

    // Return the value of a key, or `fallback` if the key is missing or has another type.
    std::string text(const std::string & key, const std::string & fallback = {}) const;
    int64_t integer(const std::string & key, int64_t fallback) const;
    bool flag(const std::string & key, bool fallback) const;
    // Returns a number or all numbers of an array; empty if the key is missing or holds no numbers.
    std::vector<double> numbers(const std::string & key) const;
    bool has(const std::string & key) const { return gguf_find_key(metadata_.get(), key.c_str()) >= 0; }

    const std::vector<gguf_tensor> & tensors() const { return tensors_; } // in file order
    const gguf_tensor * find(const std::string & name) const;             // nullptr: not in the file

    // Reads the stored bytes of a tensor.
    void read(const gguf_tensor & from, const byte_sink & sink);
    // Reads the file up to its checksum. Throws the error for an invalid file unless it has the checksum's hash.
    void verify_checksum();
    // Reads into a contiguous tensor of the same shape on any device: bit for bit if the types are equal, else
    // converted to F32. The caller must have checked shape and type (can_convert).
    void read_into(const gguf_tensor & from, ggml_tensor * into);

private:
    void open();
    void read_header();
    void list_tensors();

    std::string path_;
    const gguf_error_codes & codes_; // one of those above
    std::ifstream stream_;
    uint64_t size_ = 0;
    gguf_context_ptr metadata_;
    std::vector<gguf_tensor> tensors_;
};

// Can values of this type be converted to F32?
bool can_convert(ggml_type type);

}
