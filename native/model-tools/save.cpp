#include "model-tools/save.h"

#include "core/atomic-file.h"
#include "core/error.h"
#include "gguf/gguf-file.h"
#include "model/weights.h"

#include <ggml-backend.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <unordered_map>
#include <vector>

namespace llamatune {

namespace {

constexpr size_t piece = 16u << 20; // bytes copied at a time

void write_weight(atomic_file & file, const ggml_tensor * weight, std::vector<char> & buffer) {
    for (size_t at = 0, bytes = ggml_nbytes(weight); at < bytes; at += piece) {
        const size_t n = std::min(piece, bytes - at);
        ggml_backend_tensor_get(weight, buffer.data(), at, n);
        file.write(buffer.data(), n);
    }
}

// A tensor that llama.cpp did not load (of a part it does not use) goes over as it is.
void copy_tensor(atomic_file & file, std::ifstream & source, uint64_t offset, size_t bytes,
                 std::vector<char> & buffer) {
    source.seekg(std::streamoff(offset));
    for (size_t at = 0; at < bytes; at += piece) {
        const size_t n = std::min(piece, bytes - at);
        if (!source.read(buffer.data(), std::streamsize(n)))
            throw error("MODEL_UNREADABLE", "expected to read the original model's file to its end");
        file.write(buffer.data(), n);
    }
}

}

void save_model(const model & m, const std::string & path) {
    if (m.options().repack) {
        throw error("MODEL_REPACKED",
                    "expected a model loaded without repacking but its weights are in a layout of this CPU",
                    "load it with repack: false");
    }
    const std::string & original = m.options().path;
    const gguf_context_ptr gguf = open_gguf(original);
    std::ifstream source(std::filesystem::u8path(original), std::ios::binary);

    std::unordered_map<std::string, const ggml_tensor *> weights;
    for (const ggml_tensor * weight : list_weights(m)) weights[ggml_get_name(weight)] = weight;

    // Types and shapes are those of the file: its header serves as it stands.
    atomic_file file(path);
    std::vector<char> header(gguf_get_meta_size(gguf.get()));
    gguf_get_meta_data(gguf.get(), header.data());
    file.write(header.data(), header.size());
    std::vector<char> buffer(piece);
    for (int64_t i = 0; i < gguf_get_n_tensors(gguf.get()); i++) {
        const size_t bytes = gguf_get_tensor_size(gguf.get(), i);
        const auto loaded = weights.find(gguf_get_tensor_name(gguf.get(), i));
        if (loaded != weights.end() && ggml_nbytes(loaded->second) == bytes)
            write_weight(file, loaded->second, buffer);
        else
            copy_tensor(file, source, gguf_get_data_offset(gguf.get()) + gguf_get_tensor_offset(gguf.get(), i), bytes,
                        buffer);
        file.write_zeros(size_t(GGML_PAD(file.position(), gguf_get_alignment(gguf.get())) - file.position()));
    }
    file.commit();
}

}
