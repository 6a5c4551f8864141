#include "model/info.h"

#include <llama.h>

#include <functional>

namespace llamatune {

namespace {

// Calls one of llama.cpp's getters, which fill a buffer and return the length they need.
std::string read_text(const std::function<int32_t(char *, size_t)> & get) {
    std::string text(256, '\0');
    int32_t n = get(text.data(), text.size());
    if (n >= int32_t(text.size())) {
        text.assign(size_t(n) + 1, '\0');
        n = get(text.data(), text.size());
    }
    text.resize(n > 0 ? size_t(n) : 0);
    return text;
}

std::optional<int32_t> token_or_none(llama_token token) {
    return token == LLAMA_TOKEN_NULL ? std::nullopt : std::optional<int32_t>(token);
}

}

model_info describe(const model & m) {
    const llama_model * handle = m.handle();
    const llama_vocab * vocab = llama_model_get_vocab(handle);

    model_info info{};
    for (int32_t i = 0; i < llama_model_meta_count(handle); i++) {
        const std::string key =
            read_text([&](char * buf, size_t size) { return llama_model_meta_key_by_index(handle, i, buf, size); });
        info.metadata[key] =
            read_text([&](char * buf, size_t size) { return llama_model_meta_val_str_by_index(handle, i, buf, size); });
    }
    const auto value = [&](const char * key) {
        const auto found = info.metadata.find(key);
        return found == info.metadata.end() ? std::string() : found->second;
    };
    info.architecture = value("general.architecture");
    info.name = value("general.name");
    info.description = read_text([&](char * buf, size_t size) { return llama_model_desc(handle, buf, size); });
    info.parameters = llama_model_n_params(handle);
    info.context_length = llama_model_n_ctx_train(handle);
    info.embedding_length = llama_model_n_embd(handle);
    info.layers = llama_model_n_layer(handle);
    info.vocabulary_size = llama_vocab_n_tokens(vocab);
    if (const char * text = llama_model_chat_template(handle, nullptr)) info.chat_template = text;
    if (llama_vocab_type(vocab) != LLAMA_VOCAB_TYPE_NONE) {
        info.bos_token = token_or_none(llama_vocab_bos(vocab));
        info.eos_token = token_or_none(llama_vocab_eos(vocab));
        info.eot_token = token_or_none(llama_vocab_eot(vocab));
        for (llama_token token = 0; token < info.vocabulary_size; token++) {
            if (llama_vocab_is_eog(vocab, token)) info.end_of_generation_tokens.push_back(token);
        }
        info.add_bos = llama_vocab_get_add_bos(vocab);
        info.add_eos = llama_vocab_get_add_eos(vocab);
    }
    info.can_pack = can_pack(m);
    info.tensors = list_tensors(m);
    for (const tensor_info & t : info.tensors) info.bytes += t.bytes;
    for (const ggml_tensor * weight : list_weights(m)) {
        const std::string kind = target_kind(weight);
        if (!kind.empty()) info.trainable_targets[kind]++;
    }
    return info;
}

bool has_recurrent_state(const model & m) {
    return llama_model_is_recurrent(m.handle()) || llama_model_is_hybrid(m.handle());
}

bool can_pack(const model & m) { return !has_recurrent_state(m); }

}
