#include "gguf/gguf-file.h"

#include "core/error.h"
#include "core/log.h"

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <system_error>

namespace fs = std::filesystem;

namespace llamatune {

const gguf_error_codes model_error_codes = {"model", "MODEL_NOT_FOUND", "MODEL_UNREADABLE", "NOT_A_GGUF",
                                            "MODEL_TRUNCATED"};
const gguf_error_codes adapter_error_codes = {"adapter", "ADAPTER_NOT_FOUND", "ADAPTER_UNREADABLE", "ADAPTER_INVALID",
                                              "ADAPTER_INVALID"};

namespace {

// Feeds ggml's reader and remembers whether it asked for bytes past the end: that tells a file that was cut short from
// one that is malformed.
struct counted_reader {
    std::ifstream stream;
    uint64_t size = 0;
    uint64_t position = 0;
    bool past_end = false;

    static size_t read(void * self, void * output, uint64_t offset, size_t length) {
        auto & r = *static_cast<counted_reader *>(self);
        if (offset > r.size || length > r.size - offset) {
            r.past_end = true;
            return 0;
        }
        if (offset != r.position) r.stream.seekg(std::streamoff(offset));
        r.stream.read(static_cast<char *>(output), std::streamsize(length));
        const size_t got = size_t(r.stream.gcount());
        r.position = offset + got;
        return got;
    }
};

// How far beyond its end a cut file may claim to reach inside its header; a larger claim is taken for garbage.
constexpr uint64_t header_reach = 64ull << 20;

uint64_t data_end(const gguf_context * gguf) {
    uint64_t end = gguf_get_data_offset(gguf);
    for (int64_t i = 0; i < gguf_get_n_tensors(gguf); i++) {
        const uint64_t last =
            gguf_get_data_offset(gguf) + gguf_get_tensor_offset(gguf, i) + gguf_get_tensor_size(gguf, i);
        if (last > end) end = last;
    }
    return end;
}

}

gguf_context_ptr open_gguf(const std::string & path, const gguf_error_codes & codes) {
    const std::string subject = "expected '" + path + "' to be a GGUF " + codes.what;
    const char * again = "download or convert the file again";

    const fs::path file = fs::u8path(path);
    std::error_code ec;
    if (path.empty() || !fs::exists(file, ec)) {
        throw error(codes.not_found, "expected a GGUF " + codes.what + " at '" + path + "' but there is no such file",
                    "check the path; a relative path starts at the current working directory");
    }
    if (fs::is_directory(file, ec))
        throw error(codes.unreadable, subject + " but it is a directory", "name the .gguf file inside it");

    counted_reader reader;
    reader.stream.open(file, std::ios::binary);
    reader.size = fs::file_size(file, ec);
    if (!reader.stream || ec) {
        throw error(codes.unreadable, subject + " but it cannot be read: " + (ec ? ec.message() : std::strerror(errno)),
                    "check the file's permissions");
    }
    char magic[4] = {};
    reader.stream.read(magic, sizeof(magic));
    if (reader.stream.gcount() != sizeof(magic) || std::memcmp(magic, "GGUF", 4) != 0) {
        throw error(codes.invalid,
                    subject + (reader.size == 0 ? " but it is empty" : " but it does not start with the GGUF magic"),
                    "llamatune reads GGUF files only; convert other formats with llama.cpp's convert_hf_to_gguf.py");
    }
    reader.position = sizeof(magic);

    take_recent_errors();
    const gguf_init_params params = {/*no_alloc =*/true, /*ctx =*/nullptr};
    gguf_context_ptr gguf(
        gguf_init_from_callback(&counted_reader::read, &reader, 1u << 20, reader.size + header_reach, params));
    if (!gguf && reader.past_end) {
        throw error(codes.truncated,
                    subject + " but it ends inside its header, after " + std::to_string(reader.size) + " bytes", again);
    }
    if (!gguf) throw error(codes.invalid, subject + " but its header is malformed: " + take_recent_errors(), again);

    const uint64_t needed = data_end(gguf.get());
    if (needed > reader.size) {
        throw error(codes.truncated,
                    subject + " of " + std::to_string(needed) + " bytes but received only " +
                        std::to_string(reader.size) + " bytes",
                    again);
    }
    return gguf;
}

std::string gguf_string(const gguf_context * gguf, const char * key, const std::string & fallback) {
    const int64_t id = gguf_find_key(gguf, key);
    return id >= 0 && gguf_get_kv_type(gguf, id) == GGUF_TYPE_STRING ? gguf_get_val_str(gguf, id) : fallback;
}

int64_t gguf_integer(const gguf_context * gguf, const char * key, int64_t fallback) {
    const int64_t id = gguf_find_key(gguf, key);
    if (id < 0) return fallback;
    switch (gguf_get_kv_type(gguf, id)) {
    case GGUF_TYPE_UINT8: return gguf_get_val_u8(gguf, id);
    case GGUF_TYPE_INT8: return gguf_get_val_i8(gguf, id);
    case GGUF_TYPE_UINT16: return gguf_get_val_u16(gguf, id);
    case GGUF_TYPE_INT16: return gguf_get_val_i16(gguf, id);
    case GGUF_TYPE_UINT32: return gguf_get_val_u32(gguf, id);
    case GGUF_TYPE_INT32: return gguf_get_val_i32(gguf, id);
    case GGUF_TYPE_UINT64: return int64_t(gguf_get_val_u64(gguf, id));
    case GGUF_TYPE_INT64: return gguf_get_val_i64(gguf, id);
    default: return fallback;
    }
}

bool gguf_boolean(const gguf_context * gguf, const char * key, bool fallback) {
    const int64_t id = gguf_find_key(gguf, key);
    return id >= 0 && gguf_get_kv_type(gguf, id) == GGUF_TYPE_BOOL ? gguf_get_val_bool(gguf, id) : fallback;
}

std::vector<std::string> gguf_strings(const gguf_context * gguf, const char * key) {
    std::vector<std::string> values;
    const int64_t id = gguf_find_key(gguf, key);
    if (id < 0 || gguf_get_kv_type(gguf, id) != GGUF_TYPE_ARRAY || gguf_get_arr_type(gguf, id) != GGUF_TYPE_STRING)
        return values;
    values.reserve(gguf_get_arr_n(gguf, id));
    for (size_t i = 0; i < gguf_get_arr_n(gguf, id); i++) values.emplace_back(gguf_get_arr_str(gguf, id, i));
    return values;
}

}
