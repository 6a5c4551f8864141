#include "spec.h"

#include "core/error.h"

#include <fstream>
#include <functional>
#include <map>

namespace gpu_kit {

using llamatune::error;
using nlohmann::json;

spec read_spec(const std::string & text) {
    spec s;
    const std::map<std::string, std::function<void(const json &)>> fields = {
        {"folder", [&](const json & j) { j.get_to(s.folder); }},
        {"model", [&](const json & j) { j.get_to(s.model); }},
        {"type", [&](const json & j) { j.get_to(s.type); }},
        {"device", [&](const json & j) { j.get_to(s.device); }},
        {"precision", [&](const json & j) { j.get_to(s.precision); }},
        {"gradientCheckpointing", [&](const json & j) { j.get_to(s.gradient_checkpointing); }},
        {"microBatch", [&](const json & j) { j.get_to(s.micro_batch); }},
        {"sequence", [&](const json & j) { j.get_to(s.sequence); }},
        {"warmup", [&](const json & j) { j.get_to(s.warmup); }},
        {"steps", [&](const json & j) { j.get_to(s.steps); }},
        {"seconds", [&](const json & j) { j.get_to(s.seconds); }},
        {"promptTokens", [&](const json & j) { j.get_to(s.prompt_tokens); }},
        {"generatedTokens", [&](const json & j) { j.get_to(s.generated_tokens); }},
        {"profile", [&](const json & j) { j.get_to(s.profile); }},
    };
    try {
        const json options = json::parse(text);
        for (const auto & [name, value] : options.items()) {
            const auto field = fields.find(name);
            if (field == fields.end()) throw error("ARGUMENT_INVALID", "unknown option '" + name + "'");
            field->second(value);
        }
    } catch (const json::exception & e) { throw error("ARGUMENT_INVALID", e.what()); }
    return s;
}

shape read_shape(const std::string & file, const std::string & name) {
    std::ifstream in(file);
    if (!in) throw error("ARGUMENT_INVALID", "shapes not found: " + file);
    const json all = json::parse(in);
    if (!all.contains(name)) throw error("ARGUMENT_INVALID", file + " has no shape '" + name + "'");
    const json & j = all[name];
    shape s;
    llamatune::create_options & o = s.model;
    o.architecture = j.at("architecture");
    o.name = name;
    o.context_length = j.at("contextLength");
    o.embedding_length = j.at("embeddingLength");
    o.layers = j.at("layers");
    o.heads = j.at("heads");
    o.kv_heads = j.at("kvHeads");
    o.head_length = j.at("headLength");
    o.feed_forward_length = j.at("feedForwardLength");
    o.rope_frequency_base = j.at("ropeFrequencyBase");
    o.tie_embeddings = j.at("tieEmbeddings");
    s.vocabulary_size = j.at("vocabularySize");
    s.targets = j.at("targets").get<std::vector<std::string>>();
    s.rank = j.at("rank");
    s.flop_per_token = j.at("flopPerToken");
    s.flop_per_target = j.at("flopPerTarget");
    return s;
}

}
