#include "gguf/reader.h"

#include "core/error.h"
#include "core/hash.h"
#include "core/log.h"

#include <ggml-backend.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <system_error>

namespace fs = std::filesystem;

namespace llamatune {

const gguf_error_codes model_file = {
    "model",
    "MODEL_NOT_FOUND",
    "MODEL_UNREADABLE",
    "NOT_A_GGUF",
    "MODEL_TRUNCATED",
    "download or convert the file again",
    "llamatune reads GGUF files only; convert other formats with llama.cpp's convert_hf_to_gguf.py",
};
const gguf_error_codes adapter_file = {
    "adapter",
    "ADAPTER_NOT_FOUND",
    "ADAPTER_UNREADABLE",
    "ADAPTER_INVALID",
    "ADAPTER_INVALID",
    "copy the adapter again, or train it again",
    "name the GGUF file that a fine-tuning run wrote; importAdapter() converts the folder of an adapter of PEFT",
};
const gguf_error_codes checkpoint_file = {
    "checkpoint",
    "CHECKPOINT_NOT_FOUND",
    "CHECKPOINT_INVALID",
    "CHECKPOINT_INVALID",
    "CHECKPOINT_INVALID",
    "resume from another checkpoint; checkpoint.resume: 'latest' passes over damaged ones",
    "name a checkpoint that a fine-tuning run wrote, or their folder",
};

namespace {

constexpr size_t chunk_bytes = 16u << 20; // bytes read at a time

// The byte source of ggml's reader. It records whether the reader requested bytes past the end of the file, which
// distinguishes a truncated file from a malformed one.
struct header_source {
    std::ifstream & stream;
    uint64_t size;
    uint64_t position;
    bool past_end = false;

    static size_t read(void * self, void * output, uint64_t offset, size_t length) {
        auto & source = *static_cast<header_source *>(self);
        if (offset > source.size || length > source.size - offset) {
            source.past_end = true;
            return 0;
        }
        if (offset != source.position) source.stream.seekg(std::streamoff(offset));
        source.stream.read(static_cast<char *>(output), std::streamsize(length));
        const size_t n_read = size_t(source.stream.gcount());
        source.position = offset + n_read;
        return n_read;
    }
};

// A header that claims to continue further than this past the end of the file is malformed, not truncated. It also
// bounds how much ggml's reader allocates for an incorrect length.
constexpr uint64_t max_missing_header = 64ull << 20;

template <typename T>
void append_numbers(std::vector<double> & values, const void * data, size_t n) {
    const T * typed = static_cast<const T *>(data);
    for (size_t i = 0; i < n; i++) values.push_back(double(typed[i]));
}

void append_numbers(std::vector<double> & values, gguf_type type, const void * data, size_t n) {
    switch (type) {
    case GGUF_TYPE_UINT8: return append_numbers<uint8_t>(values, data, n);
    case GGUF_TYPE_INT8: return append_numbers<int8_t>(values, data, n);
    case GGUF_TYPE_UINT16: return append_numbers<uint16_t>(values, data, n);
    case GGUF_TYPE_INT16: return append_numbers<int16_t>(values, data, n);
    case GGUF_TYPE_UINT32: return append_numbers<uint32_t>(values, data, n);
    case GGUF_TYPE_INT32: return append_numbers<int32_t>(values, data, n);
    case GGUF_TYPE_UINT64: return append_numbers<uint64_t>(values, data, n);
    case GGUF_TYPE_INT64: return append_numbers<int64_t>(values, data, n);
    case GGUF_TYPE_FLOAT32: return append_numbers<float>(values, data, n);
    case GGUF_TYPE_FLOAT64: return append_numbers<double>(values, data, n);
    default: return;
    }
}

bool is_array_of_numbers(const gguf_context * gguf, int64_t id) {
    if (gguf_get_kv_type(gguf, id) != GGUF_TYPE_ARRAY) return false;
    const gguf_type type = gguf_get_arr_type(gguf, id);
    return type != GGUF_TYPE_STRING && type != GGUF_TYPE_BOOL;
}

bool is_scalar(const gguf_context * gguf, int64_t id) {
    const gguf_type type = gguf_get_kv_type(gguf, id);
    return type != GGUF_TYPE_ARRAY && type != GGUF_TYPE_STRING;
}

}

std::string shape_text(const int64_t * shape) {
    int n_dims = 4;
    while (n_dims > 1 && shape[n_dims - 1] == 1) n_dims--;
    std::string text;
    for (int i = 0; i < n_dims; i++) text += (i ? ", " : "[") + std::to_string(shape[i]);
    return text + "]";
}

bool can_convert(ggml_type type) { return type == GGML_TYPE_F32 || ggml_get_type_traits(type)->to_float != nullptr; }

gguf_reader::gguf_reader(const std::string & path, const gguf_error_codes & codes) : path_(path), codes_(codes) {
    open();
    read_header();
    list_tensors();
}

void gguf_reader::open() {
    const fs::path file = fs::u8path(path_);
    std::error_code failed;
    if (path_.empty() || !fs::exists(file, failed)) {
        throw error(codes_.not_found, codes_.what + " not found: '" + path_ + "'",
                    "check the path; a relative path starts at the current working directory");
    }
    if (fs::is_directory(file, failed)) {
        throw error(codes_.unreadable, "cannot read the " + codes_.what + " '" + path_ + "': it is a directory",
                    "name the .gguf file inside it");
    }
    stream_.open(file, std::ios::binary);
    size_ = fs::file_size(file, failed);
    if (!stream_ || failed) {
        throw error(codes_.unreadable,
                    "cannot read the " + codes_.what + " '" + path_ +
                        "': " + (failed ? failed.message() : std::strerror(errno)),
                    "check the file's permissions");
    }
}

void gguf_reader::read_header() {
    char magic[4] = {};
    stream_.read(magic, sizeof(magic));
    if (stream_.gcount() != sizeof(magic) || std::memcmp(magic, "GGUF", sizeof(magic)) != 0) {
        throw error(codes_.invalid,
                    "'" + path_ + "' is not a GGUF file: it " +
                        (size_ == 0 ? "is empty" : "does not start with the GGUF magic"),
                    codes_.not_gguf_hint);
    }
    header_source source{stream_, size_, sizeof(magic)};
    take_recent_errors();
    const gguf_init_params params = {/* no_alloc */ true, /* ctx */ nullptr};
    metadata_.reset(
        gguf_init_from_callback(&header_source::read, &source, 1u << 20, size_ + max_missing_header, params));
    if (metadata_) return;
    if (source.past_end) {
        throw error(codes_.truncated,
                    "the " + codes_.what + " '" + path_ + "' is cut short: it ends inside its header, after " +
                        std::to_string(size_) + " bytes",
                    codes_.damaged_hint);
    }
    throw error(codes_.invalid, "the header of '" + path_ + "' is malformed: " + take_recent_errors(),
                codes_.damaged_hint);
}

void gguf_reader::list_tensors() {
    const gguf_context * gguf = metadata_.get();
    const uint64_t data = gguf_get_data_offset(gguf);
    uint64_t end = data;
    for (int64_t i = 0; i < gguf_get_n_tensors(gguf); i++) {
        const int64_t * ne = gguf_get_tensor_ne(gguf, i);
        gguf_tensor tensor{gguf_get_tensor_name(gguf, i),
                           gguf_get_tensor_type(gguf, i),
                           {ne[0], ne[1], ne[2], ne[3]},
                           data + gguf_get_tensor_offset(gguf, i),
                           gguf_get_tensor_size(gguf, i)};
        end = std::max(end, tensor.offset + tensor.bytes);
        tensors_.push_back(std::move(tensor));
    }
    if (end <= size_) return;
    throw error(codes_.truncated,
                "the " + codes_.what + " '" + path_ + "' is cut short: its header announces " + std::to_string(end) +
                    " bytes, the file has " + std::to_string(size_) + " bytes",
                codes_.damaged_hint);
}

std::string gguf_reader::text(const std::string & key, const std::string & fallback) const {
    const int64_t id = gguf_find_key(metadata_.get(), key.c_str());
    return id >= 0 && gguf_get_kv_type(metadata_.get(), id) == GGUF_TYPE_STRING ? gguf_get_val_str(metadata_.get(), id)
                                                                                : fallback;
}

int64_t gguf_reader::integer(const std::string & key, int64_t fallback) const {
    const int64_t id = gguf_find_key(metadata_.get(), key.c_str());
    if (id < 0) return fallback;
    switch (gguf_get_kv_type(metadata_.get(), id)) {
    case GGUF_TYPE_UINT64: return int64_t(gguf_get_val_u64(metadata_.get(), id));
    case GGUF_TYPE_INT64: return gguf_get_val_i64(metadata_.get(), id);
    case GGUF_TYPE_BOOL:
    case GGUF_TYPE_FLOAT32:
    case GGUF_TYPE_FLOAT64: return fallback;
    default: {
        const std::vector<double> values = is_scalar(metadata_.get(), id) ? numbers(key) : std::vector<double>();
        return values.empty() ? fallback : int64_t(values[0]);
    }
    }
}

bool gguf_reader::flag(const std::string & key, bool fallback) const {
    const int64_t id = gguf_find_key(metadata_.get(), key.c_str());
    return id >= 0 && gguf_get_kv_type(metadata_.get(), id) == GGUF_TYPE_BOOL ? gguf_get_val_bool(metadata_.get(), id)
                                                                              : fallback;
}

std::vector<double> gguf_reader::numbers(const std::string & key) const {
    const gguf_context * gguf = metadata_.get();
    const int64_t id = gguf_find_key(gguf, key.c_str());
    std::vector<double> values;
    if (id < 0) return values;
    if (is_array_of_numbers(gguf, id))
        append_numbers(values, gguf_get_arr_type(gguf, id), gguf_get_arr_data(gguf, id), gguf_get_arr_n(gguf, id));
    else if (is_scalar(gguf, id))
        append_numbers(values, gguf_get_kv_type(gguf, id), gguf_get_val_data(gguf, id), 1);
    return values;
}

const gguf_tensor * gguf_reader::find(const std::string & name) const {
    const int64_t id = gguf_find_tensor(metadata_.get(), name.c_str());
    return id < 0 ? nullptr : &tensors_[size_t(id)];
}

void gguf_reader::read(const gguf_tensor & from, const byte_sink & sink) {
    // Chunks are whole rows, because the block sizes of the types have no small common multiple.
    const uint64_t row = std::max<uint64_t>(1, ggml_row_size(from.type, from.shape[0]));
    const uint64_t step = std::max(row, chunk_bytes / row * row);
    std::vector<char> buffer(size_t(std::min(from.bytes, step)));
    stream_.clear();
    stream_.seekg(std::streamoff(from.offset));
    for (uint64_t done = 0; done < from.bytes; done += step) {
        const size_t n = size_t(std::min(step, from.bytes - done));
        if (!stream_.read(buffer.data(), std::streamsize(n)))
            throw error(codes_.truncated, "'" + path_ + "' ended while '" + from.name + "' was read from it",
                        codes_.damaged_hint);
        sink(buffer.data(), n);
    }
}

void gguf_reader::verify_checksum() {
    const gguf_tensor * checksum = find(checksum_tensor);
    uint64_t stored = 0;
    content_hash hash;
    if (checksum && checksum->type == GGML_TYPE_I64 && checksum->bytes == sizeof(stored)) {
        read(*checksum, [&](const void * data, size_t bytes) { std::memcpy(&stored, data, bytes); });
        std::vector<char> buffer(size_t(std::min<uint64_t>(checksum->offset, chunk_bytes)));
        stream_.seekg(0);
        for (uint64_t left = checksum->offset; left > 0;) {
            const size_t n = size_t(std::min<uint64_t>(left, buffer.size()));
            if (!stream_.read(buffer.data(), std::streamsize(n))) break;
            hash.add(buffer.data(), n);
            left -= n;
        }
        if (hash.value() == stored) return;
    }
    throw error(codes_.invalid, "the " + codes_.what + " '" + path_ + "' is damaged: its checksum is wrong",
                codes_.damaged_hint);
}

void gguf_reader::read_into(const gguf_tensor & from, ggml_tensor * into) {
    size_t at = 0;
    const auto put = [&](const void * data, size_t bytes) {
        ggml_backend_tensor_set(into, data, at, bytes);
        at += bytes;
    };
    if (from.type == into->type) return read(from, put);
    std::vector<float> values;
    read(from, [&](const void * data, size_t bytes) { // whole rows
        values.resize(bytes / ggml_type_size(from.type) * size_t(ggml_blck_size(from.type)));
        ggml_get_type_traits(from.type)->to_float(data, values.data(), int64_t(values.size()));
        put(values.data(), values.size() * sizeof(float));
    });
}

}
