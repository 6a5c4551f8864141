#include "gguf/writer.h"

#include "core/atomic-file.h"
#include "core/error.h"
#include "core/hash.h"

#include <ggml-backend.h>

#include <algorithm>

namespace llamatune {

namespace {

constexpr size_t chunk_bytes = 16u << 20; // bytes copied from a device at a time

}

byte_source bytes_of(const ggml_tensor * tensor) {
    return [tensor](const byte_sink & sink) {
        const size_t bytes = ggml_nbytes(tensor);
        std::vector<char> buffer(std::min(chunk_bytes, bytes));
        for (size_t at = 0; at < bytes; at += chunk_bytes) {
            const size_t n = std::min(chunk_bytes, bytes - at);
            ggml_backend_tensor_get(tensor, buffer.data(), at, n);
            sink(buffer.data(), n);
        }
    };
}

void gguf_writer::set(const std::string & key, const std::string & value) {
    gguf_set_val_str(metadata_.get(), key.c_str(), value.c_str());
}
void gguf_writer::set(const std::string & key, const char * value) {
    gguf_set_val_str(metadata_.get(), key.c_str(), value);
}
void gguf_writer::set(const std::string & key, bool value) { gguf_set_val_bool(metadata_.get(), key.c_str(), value); }
void gguf_writer::set(const std::string & key, uint32_t value) {
    gguf_set_val_u32(metadata_.get(), key.c_str(), value);
}
void gguf_writer::set(const std::string & key, int64_t value) { gguf_set_val_i64(metadata_.get(), key.c_str(), value); }
void gguf_writer::set(const std::string & key, float value) { gguf_set_val_f32(metadata_.get(), key.c_str(), value); }
void gguf_writer::set(const std::string & key, double value) { gguf_set_val_f64(metadata_.get(), key.c_str(), value); }

void gguf_writer::set(const std::string & key, const std::vector<std::string> & values) {
    std::vector<const char *> pointers;
    for (const std::string & value : values) pointers.push_back(value.c_str());
    gguf_set_arr_str(metadata_.get(), key.c_str(), pointers.data(), pointers.size());
}

void gguf_writer::set(const std::string & key, const std::vector<int32_t> & values) {
    gguf_set_arr_data(metadata_.get(), key.c_str(), GGUF_TYPE_INT32, values.data(), values.size());
}

void gguf_writer::set(const std::string & key, const std::vector<double> & values) {
    gguf_set_arr_data(metadata_.get(), key.c_str(), GGUF_TYPE_FLOAT64, values.data(), values.size());
}

void gguf_writer::copy_metadata(const gguf_reader & from, const std::string & prefix) {
    gguf_set_kv(metadata_.get(), from.metadata());
    for (int64_t i = gguf_get_n_kv(metadata_.get()) - 1; i >= 0; i--) {
        const std::string key = gguf_get_key(metadata_.get(), i);
        // This writer aligns tensor data by its own rule, not by the other file's.
        if (key.compare(0, prefix.size(), prefix) != 0 || key == "general.alignment")
            gguf_remove_key(metadata_.get(), key.c_str());
    }
}

void gguf_writer::add(const std::string & name, ggml_type type, const std::vector<int64_t> & shape, byte_source bytes) {
    if (name.size() >= GGML_MAX_NAME)
        throw error("NATIVE_ERROR", "the tensor name '" + name + "' is too long for a GGUF file", "please report it");
    const ggml_context_ptr ctx(ggml_init({ggml_tensor_overhead(), nullptr, /* no_alloc */ true}));
    ggml_tensor * tensor = ggml_new_tensor(ctx.get(), type, int(shape.size()), shape.data());
    ggml_set_name(tensor, name.c_str());
    gguf_add_tensor(metadata_.get(), tensor); // copies the description
    sources_.push_back(std::move(bytes));
}

void gguf_writer::add(const std::string & name, const ggml_tensor * tensor) {
    add(name, tensor->type, {tensor->ne, tensor->ne + ggml_n_dims(tensor)}, bytes_of(tensor));
}

void gguf_writer::add_checksum() {
    add(checksum_tensor, GGML_TYPE_I64, {1}, nullptr);
    has_checksum_ = true;
}

void gguf_writer::write(const std::string & path) const {
    atomic_file file(path);
    content_hash hash;
    const auto put = [&](const void * data, size_t bytes) {
        if (has_checksum_) hash.add(data, bytes);
        file.write(data, bytes);
    };
    std::vector<char> header(gguf_get_meta_size(metadata_.get()));
    gguf_get_meta_data(metadata_.get(), header.data());
    put(header.data(), header.size());
    const size_t alignment = gguf_get_alignment(metadata_.get());
    const std::vector<char> zeros(alignment);
    for (size_t i = 0; i < sources_.size(); i++) {
        const uint64_t start = file.position();
        if (sources_[i]) {
            sources_[i](put);
        } else {
            const uint64_t before = hash.value();
            put(&before, sizeof(before));
        }
        if (file.position() - start != gguf_get_tensor_size(metadata_.get(), int64_t(i)))
            throw error("NATIVE_ERROR",
                        std::string("the bytes of '") + gguf_get_tensor_name(metadata_.get(), int64_t(i)) +
                            "' do not add up to its size",
                        "please report it");
        put(zeros.data(), size_t(GGML_PAD(file.position(), alignment) - file.position()));
    }
    file.commit();
}

}
