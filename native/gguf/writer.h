#pragma once

#include "core/ggml-ptr.h"
#include "gguf/reader.h"

#include <gguf.h>

#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

namespace llamatune {

// Sends all bytes of one tensor to a sink, in order and in chunks of any size.
using byte_source = std::function<void(const byte_sink & sink)>;

// Writes a GGUF file: metadata and named tensors. Their bytes are streamed when the file is written, so it may be
// larger than memory.
class gguf_writer {
public:
    gguf_writer() : metadata_(gguf_init_empty()) {}

    void set(const std::string & key, const std::string & value);
    void set(const std::string & key, const char * value);
    void set(const std::string & key, bool value);
    void set(const std::string & key, uint32_t value);
    void set(const std::string & key, int64_t value);
    void set(const std::string & key, float value);
    void set(const std::string & key, double value);
    void set(const std::string & key, const std::vector<std::string> & values);
    void set(const std::string & key, const std::vector<int32_t> & values);
    void set(const std::string & key, const std::vector<double> & values);
    // Copies the keys of another file that start with `prefix`. Call it before anything is set.
    void copy_metadata(const gguf_reader & from, const std::string & prefix = {});
    void remove(const std::string & key) { gguf_remove_key(metadata_.get(), key.c_str()); }
    const gguf_context * metadata() const { return metadata_.get(); }

    // Adds a tensor; `shape` has 1 to 4 dimensions in ggml order.
    void add(const std::string & name, ggml_type type, const std::vector<int64_t> & shape, byte_source bytes);
    // Adds the values that a contiguous tensor, on any device, has when the file is written.
    void add(const std::string & name, const ggml_tensor * tensor);
    // Adds a last tensor with a hash of everything before it, which gguf_reader::verify_checksum() compares.
    void add_checksum();

    // Writes the file atomically. Throws error OUTPUT_NOT_WRITABLE, and the errors of the sources.
    void write(const std::string & path) const;

private:
    gguf_context_ptr metadata_;
    std::vector<byte_source> sources_; // of each tensor; the checksum has none
    bool has_checksum_ = false;
};

// Returns the bytes of a contiguous tensor on any device.
byte_source bytes_of(const ggml_tensor * tensor);

}
