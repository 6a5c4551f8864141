#include "model/weights.h"

#include "core/hash.h"

#include <llama-arch.h>
#include <llama-model.h>
#include <llama.h>

#include <cctype>
#include <map>
#include <set>

namespace llamatune {

namespace {

// The last enumerator of llm_tensor. Update it when llama.cpp adds kinds of weights.
constexpr int last_kind = LLM_TENSOR_DFLASH_SELECTOR_HIDDEN;

// The op that uses each kind of weight, from llama.cpp's own table ("attn_q" -> MUL_MAT).
const std::map<std::string, ggml_op> & kind_ops() {
    static const std::map<std::string, ggml_op> ops = [] {
        std::map<std::string, ggml_op> table;
        const LLM_TN names(LLM_ARCH_LLAMA);
        const std::string block = "blk.0.";
        for (int t = LLM_TENSOR_TOKEN_EMBD; t <= last_kind; t++) {
            try {
                const ggml_op op = llm_tensor_info_for(llm_tensor(t)).op;
                const std::string name = names(llm_tensor(t), nullptr, 0, 0).str();
                table.emplace(name.compare(0, block.size(), block) == 0 ? name.substr(block.size()) : name, op);
            } catch (const std::exception &) {
                // this enumerator has no name or no op
            }
        }
        return table;
    }();
    return ops;
}

bool is_product(ggml_op op) { return op == GGML_OP_MUL_MAT || op == GGML_OP_MUL_MAT_ID; }

}

ggml_tensor * find_weight(const model & m, const std::string & name) {
    for (const auto & [key, tensor] : llama_internal_get_tensor_map(m.handle())) {
        if (key == name) return tensor;
    }
    return nullptr;
}

std::vector<ggml_tensor *> list_weights(const model & m) {
    std::vector<ggml_tensor *> weights;
    std::set<std::string> seen; // a tied embedding is listed once per use
    for (const auto & [name, tensor] : llama_internal_get_tensor_map(m.handle())) {
        if (seen.insert(name).second) weights.push_back(tensor);
    }
    return weights;
}

uint64_t total_bytes(const model & m) { return llama_model_size(m.handle()); }

uint64_t host_bytes(const model & m) {
    uint64_t bytes = 0;
    for (const ggml_tensor * w : list_weights(m)) {
        if (w->buffer && ggml_backend_buffer_is_host(w->buffer)) bytes += ggml_nbytes(w);
    }
    return bytes;
}

std::vector<tensor_info> list_tensors(const model & m) {
    std::vector<tensor_info> infos;
    for (const ggml_tensor * w : list_weights(m)) {
        infos.push_back(
            {ggml_get_name(w), type_name(w), std::vector<int64_t>(w->ne, w->ne + ggml_n_dims(w)), ggml_nbytes(w)});
    }
    return infos;
}

uint64_t sampled_hash(const model & m) {
    constexpr size_t block = 4096, n_blocks = 4;       // per weight
    std::map<std::string, const ggml_tensor *> sorted; // llama.cpp's order depends on the placement of layers
    for (const ggml_tensor * w : list_weights(m)) sorted.emplace(ggml_get_name(w), w);
    content_hash hash;
    std::vector<char> buffer(block * n_blocks);
    for (const auto & [name, w] : sorted) {
        hash.add(name.data(), name.size());
        hash.add(&w->type, sizeof(w->type));
        hash.add(w->ne, sizeof(w->ne));
        const size_t bytes = ggml_nbytes(w);
        const bool whole = bytes <= buffer.size();
        for (size_t i = 0; i < (whole ? 1 : n_blocks); i++) {
            const size_t n = whole ? bytes : block;
            ggml_backend_tensor_get(w, buffer.data(), i * (bytes - n) / (n_blocks - 1), n);
            hash.add(buffer.data(), n);
        }
    }
    return hash.value();
}

std::string target_kind(const ggml_tensor * weight) {
    std::string name = ggml_get_name(weight);
    const std::string suffix = ".weight";
    if (ggml_n_dims(weight) < 2 || name.size() <= suffix.size()) return {};
    if (name.compare(name.size() - suffix.size(), suffix.size(), suffix) != 0) return {};
    name.resize(name.size() - suffix.size());
    if (name == "output") return name;

    const std::string block = "blk.";
    if (name.compare(0, block.size(), block) != 0) return {};
    size_t dot = block.size();
    while (dot < name.size() && std::isdigit(static_cast<unsigned char>(name[dot]))) dot++;
    if (dot == block.size() || dot >= name.size() || name[dot] != '.') return {};
    std::string kind = name.substr(dot + 1);

    const auto known = kind_ops().find(kind);
    if (known != kind_ops().end()) return is_product(known->second) ? kind : std::string();
    return {};
}

std::string type_name(const ggml_tensor * weight) {
    std::string name = ggml_type_name(weight->type);
    for (char & c : name) c = char(std::toupper(static_cast<unsigned char>(c)));
    return name;
}

}
