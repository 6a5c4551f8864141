#include "binding/model-files.h"

#include "binding/args.h"
#include "binding/errors.h"
#include "binding/run.h"
#include "model-tools/create.h"
#include "model-tools/quantize.h"

namespace llamatune::binding {

namespace {

std::optional<int32_t> optional_token(const args & from, const char * key) {
    return from.has(key) ? std::optional<int32_t>(from.int32(key)) : std::nullopt;
}

vocabulary_options read_vocabulary(const args & from) {
    vocabulary_options to;
    if (from.has("from")) {
        to.from = from.text("from");
        return to;
    }
    to.pre = from.text("pre");
    to.tokens = from.texts("tokens");
    to.token_types = from.int32s("tokenTypes");
    to.merges = from.texts("merges");
    to.bos_token = optional_token(from, "bosToken");
    to.eos_token = from.int32("eosToken");
    to.pad_token = optional_token(from, "padToken");
    to.add_bos = from.flag("addBos");
    return to;
}

create_options read_create_options(const args & from) {
    create_options to;
    to.path = from.text("path");
    to.architecture = from.text("architecture");
    to.name = from.text("name");
    to.vocabulary = read_vocabulary(from.object("vocabulary"));
    to.chat_template = from.text("chatTemplate");
    to.context_length = from.int32("contextLength");
    to.embedding_length = from.int32("embeddingLength");
    to.layers = from.int32("layers");
    to.heads = from.int32("heads");
    to.kv_heads = from.int32("kvHeads");
    to.head_length = from.int32("headLength");
    to.feed_forward_length = from.int32("feedForwardLength");
    to.experts = from.int32("experts");
    to.used_experts = from.int32("usedExperts");
    to.expert_feed_forward_length = from.int32("expertFeedForwardLength");
    to.rope_frequency_base = float(from.number("ropeFrequencyBase"));
    to.tie_embeddings = from.flag("tieEmbeddings");
    to.type = from.text("type");
    to.init_std = float(from.number("initStd"));
    to.seed = from.whole("seed");
    return to;
}

}

Napi::Value create_model_call(const Napi::CallbackInfo & info) {
    return guarded(info.Env(), [&]() -> Napi::Value {
        return start_task(info.Env(),
                          [options = read_create_options(args(info[0], "options"))](run_context & context) -> js_maker {
                              create_model(options, &context.stop());
                              return {};
                          });
    });
}

Napi::Value quantize_model_call(const Napi::CallbackInfo & info) {
    return guarded(info.Env(), [&]() -> Napi::Value {
        return start_task(info.Env(),
                          [input = text_argument(info, 0, "input"), output = text_argument(info, 1, "output"),
                           type = text_argument(info, 2, "type"),
                           threads = int32_argument(info, 3, "threads")](run_context &) -> js_maker {
                              quantize_model(input, output, type, threads);
                              return {};
                          });
    });
}

}
