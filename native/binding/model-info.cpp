#include "binding/model-info.h"

#include "binding/values.h"

namespace llamatune::binding {

namespace {

Napi::Value token_or_null(Napi::Env env, const std::optional<int32_t> & token) {
    return token ? Napi::Value(Napi::Number::New(env, *token)) : env.Null();
}

Napi::Value tensors_to_js(Napi::Env env, const std::vector<tensor_info> & tensors) {
    Napi::Array array = Napi::Array::New(env, tensors.size());
    for (uint32_t i = 0; i < tensors.size(); i++) {
        const tensor_info & tensor = tensors[i];
        Napi::Array shape = Napi::Array::New(env, tensor.shape.size());
        for (uint32_t d = 0; d < tensor.shape.size(); d++)
            shape.Set(d, Napi::Number::New(env, double(tensor.shape[d])));
        array.Set(i, make_object(env, {{"name", tensor.name},
                                       {"type", tensor.type},
                                       {"shape", Napi::Value(shape)},
                                       {"bytes", tensor.bytes}}));
    }
    return array;
}

}

Napi::Value model_info_to_js(Napi::Env env, const model_info & info) {
    Napi::Object targets = Napi::Object::New(env);
    for (const auto & [kind, count] : info.trainable_targets) targets.Set(kind, Napi::Number::New(env, double(count)));
    Napi::Object metadata = Napi::Object::New(env);
    for (const auto & [key, value] : info.metadata) metadata.Set(key, Napi::String::New(env, value));
    const Napi::Value chat_template =
        info.chat_template ? Napi::Value(Napi::String::New(env, *info.chat_template)) : env.Null();
    return make_object(env, {
                                {"architecture", info.architecture},
                                {"name", info.name},
                                {"description", info.description},
                                {"parameters", info.parameters},
                                {"bytes", info.bytes},
                                {"contextLength", info.context_length},
                                {"embeddingLength", info.embedding_length},
                                {"layers", info.layers},
                                {"vocabularySize", info.vocabulary_size},
                                {"chatTemplate", chat_template},
                                {"bosToken", token_or_null(env, info.bos_token)},
                                {"eosToken", token_or_null(env, info.eos_token)},
                                {"eotToken", token_or_null(env, info.eot_token)},
                                {"addBos", info.add_bos},
                                {"addEos", info.add_eos},
                                {"canPack", info.can_pack},
                                {"trainableTargets", Napi::Value(targets)},
                                {"tensors", tensors_to_js(env, info.tensors)},
                                {"metadata", Napi::Value(metadata)},
                            });
}

}
