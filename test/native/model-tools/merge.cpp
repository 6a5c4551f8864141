#include "harness.h"
#include "model/tiny-models.h"
#include "relative-error.h"

#include "adapter/adapter-values.h"
#include "adapter/targets.h"
#include "core/error.h"
#include "core/rng.h"
#include "generate/context.h"
#include "gguf/model-files.h"
#include "gguf/writer.h"
#include "model-tools/merge.h"
#include "model-tools/quantize.h"
#include "model-tools/save.h"
#include "model/weights.h"

#include <ggml-backend.h>

#include <algorithm>
#include <filesystem>
#include <map>

using namespace llamatune;
namespace fs = std::filesystem;

namespace {

const std::atomic<bool> never{false};

std::shared_ptr<model> load_path(const std::string & path) {
    load_options o;
    o.path = path;
    return model::load(o);
}

// Writes an adapter with random values for these weights.
std::string random_adapter(const std::shared_ptr<model> & base, const std::vector<std::string> & weights,
                           const std::string & file, float strength = 0.1f) {
    adapter_values values{6.0f, std::nullopt, {}};
    rng numbers(5);
    for (const std::string & name : weights) {
        const ggml_tensor * w = find_weight(*base, name);
        const bool looked_up = name == "token_embd.weight";
        pair_values pair{name, 3, w->ne[2], {}, {}};
        pair.a.resize(size_t(3 * w->ne[looked_up ? 1 : 0] * w->ne[2]));
        pair.b.resize(size_t(3 * w->ne[looked_up ? 0 : 1] * w->ne[2]));
        numbers.fill_normal(pair.a.data(), pair.a.size(), strength);
        numbers.fill_normal(pair.b.data(), pair.b.size(), strength);
        values.pairs.push_back(std::move(pair));
    }
    const std::string path = tiny::scratch(file);
    write_adapter_values(path, values, base);
    return path;
}

std::vector<std::string> weights_of(const model & base, const std::vector<std::string> & targets) {
    std::vector<std::string> names;
    for (const lora_target & target : match_targets(base, targets)) names.push_back(target.name);
    return names;
}

std::vector<float> logits(const std::shared_ptr<model> & m, const std::string & adapter = {}) {
    const loaded_adapters adapters(m, adapter.empty() ? std::vector<adapter_option>()
                                                      : std::vector{adapter_option{adapter}});
    inference_context context(m, {64, 64, 1}, &adapters, never);
    std::vector<int32_t> prompt;
    for (int32_t i = 0; i < 20; i++) prompt.push_back(i * 37 % tiny::n_tokens);
    context.decode_all(prompt.data(), prompt.size());
    return {context.logits(-1), context.logits(-1) + tiny::n_tokens};
}

std::vector<float> floats(const model & m, const std::string & name) {
    const ggml_tensor * weight = find_weight(m, name);
    std::vector<float> values(size_t(ggml_nelements(weight)));
    ggml_backend_tensor_get(weight, values.data(), 0, ggml_nbytes(weight));
    return values;
}

// Merges without anybody who follows the progress.
void merge(const std::shared_ptr<model> & base, const std::string & adapter, const std::string & output,
           const std::string & type = "same") {
    merge_adapter(base, {adapter, output, type}, [](const merge_progress &) {}, never);
}

// Merges into a new file, which must fail with MERGE_UNSUPPORTED and leave nothing there, and returns the error.
error merge_error(const std::shared_ptr<model> & base, const std::string & adapter, const std::string & type) {
    const std::string output = tiny::scratch("merge-refused.gguf");
    fs::remove(output);
    try {
        merge(base, adapter, output, type);
    } catch (const error & e) {
        CHECK(e.code() == "MERGE_UNSUPPORTED");
        CHECK(!fs::exists(output));
        return e;
    }
    harness::fail(__FILE__, __LINE__, "the adapter was merged");
}

std::vector<std::string> problem_paths(const error & failed) {
    std::vector<std::string> paths;
    for (const problem & each : failed.problems()) paths.push_back(each.path);
    return paths;
}

// Writes a copy of a model with a scale for each of these weights.
std::string with_scales(const std::shared_ptr<model> & base, const std::vector<std::string> & weights) {
    const std::string path = tiny::scratch("merge-scales.gguf");
    const model_files files(base->options().path);
    gguf_writer writer;
    copy_model_metadata(writer, files);
    for (const auto & entry : files.tensors()) {
        const auto & shape = entry.tensor->shape;
        writer.add(entry.tensor->name, entry.tensor->type, {shape.begin(), shape.end()},
                   [entry](const byte_sink & sink) { entry.file->read(*entry.tensor, sink); });
    }
    for (const std::string & weight : weights)
        writer.add(weight + ".scale", GGML_TYPE_F32, {1}, [](const byte_sink & sink) {
            const float scale = 0.5f;
            sink(&scale, sizeof(scale));
        });
    writer.write(path);
    return path;
}

std::string merged(const std::shared_ptr<model> & base, const std::string & adapter, const std::string & type,
                   const std::string & file, double * kept = nullptr) {
    const merge_options options{adapter, tiny::scratch(file), type};
    int64_t last = 0;
    const merge_result result = merge_adapter(
        base, options,
        [&](const merge_progress & p) {
            CHECK(p.done == ++last);
            CHECK(p.total == int64_t(model_files(base->options().path).tensors().size()));
        },
        never);
    CHECK(last > 0);
    if (kept) *kept = result.kept_update;
    return options.output;
}

std::map<std::string, std::string> tensor_bytes(const std::string & path) {
    std::map<std::string, std::string> all;
    const model_files files(path);
    for (const auto & [file, tensor] : files.tensors()) {
        std::string & bytes = all[tensor->name + " " + ggml_type_name(tensor->type)];
        file->read(*tensor, [&](const void * data, size_t n) { bytes.append(static_cast<const char *>(data), n); });
    }
    return all;
}

// Writes the tensors of a model into three files, as llama-gguf-split does, and returns their paths.
std::vector<std::string> split_copy(const std::string & path, const std::string & name) {
    gguf_reader whole(path);
    std::vector<std::string> shards;
    for (int i = 0; i < 3; i++) {
        shards.push_back(tiny::scratch(name + "-0000" + std::to_string(i + 1) + "-of-00003.gguf"));
        gguf_writer writer;
        if (i == 0) writer.copy_metadata(whole);
        gguf_context * header = const_cast<gguf_context *>(writer.metadata());
        gguf_set_val_u16(header, "split.no", uint16_t(i));
        gguf_set_val_u16(header, "split.count", 3);
        gguf_set_val_i32(header, "split.tensors.count", int32_t(whole.tensors().size()));
        for (size_t t = size_t(i); t < whole.tensors().size(); t += 3) {
            const gguf_tensor & tensor = whole.tensors()[t];
            writer.add(tensor.name, tensor.type, {tensor.shape.begin(), tensor.shape.end()},
                       [&](const byte_sink & sink) { whole.read(tensor, sink); });
        }
        writer.write(shards.back());
    }
    return shards;
}

}

TEST("model-tools/merge: the logits of the merged model are those of the model with the adapter") {
    for (const char * architecture : {"llama", "qwen3", "gemma3", "qwen3moe"}) {
        const auto base = tiny::load(architecture);
        std::vector<std::string> targets = {"attn_q", "attn_v", "attn_output"};
        if (std::string(architecture) == "qwen3moe")
            targets.insert(targets.end(), {"ffn_gate_exps", "ffn_down_exps", "ffn_gate_inp"});
        else
            targets.insert(targets.end(), {"ffn_gate", "ffn_down"});
        const std::string adapter = random_adapter(base, weights_of(*base, targets), "merge-adapter.gguf");
        const auto expected = logits(base, adapter);
        CHECK(relative_error(logits(base), expected) > 0.05);
        CHECK(relative_error(logits(load_path(merged(base, adapter, "same", "merged.gguf"))), expected) < 1e-5);
        CHECK(relative_error(logits(load_path(merged(base, adapter, "F16", "merged.gguf"))), expected) < 5e-3);
    }
}

TEST("model-tools/merge: an adapter of the token embeddings is added to their rows") {
    create_options o = tiny::options("llama", tiny::scratch("merge-untied.gguf"));
    o.tie_embeddings = false;
    create_model(o);
    const auto base = load_path(o.path);
    const std::string adapter = random_adapter(base, {"token_embd.weight", "output.weight"}, "merge-adapter.gguf");
    const auto expected = logits(base, adapter);
    CHECK(relative_error(logits(base), expected) > 0.01);
    const auto with = load_path(merged(base, adapter, "same", "merged.gguf"));
    CHECK_NEAR(relative_error(logits(with), expected), 0, 2e-4); // the cache rounds keys and values to F16

    const pair_values pair = read_adapter_values(adapter, base).pairs[1];
    CHECK(pair.name == "token_embd.weight");
    const std::vector<float> before = floats(*base, pair.name), after = floats(*with, pair.name);
    for (size_t i = 0; i < before.size(); i++) {
        double sum = before[i]; // of row i / 64, column i % 64
        for (size_t k = 0; k < 3; k++) sum += 2.0 * pair.a[i / 64 * 3 + k] * pair.b[i % 64 * 3 + k];
        CHECK_NEAR(after[i], sum, 1e-6);
    }
}

TEST("model-tools/merge: a quantized model keeps its types, and the sum is rounded once") {
    for (const char * type : {"Q8_0", "Q4_K_M", "BF16"}) {
        create_options o = tiny::options("llama", tiny::scratch("merge-quantized.gguf"));
        o.embedding_length = o.feed_forward_length = 256;
        o.type = type;
        create_model(o);
        const auto base = load_path(o.path);
        const std::string adapter =
            random_adapter(base, weights_of(*base, {"attn_q", "ffn_down", "ffn_up"}), "merge-adapter.gguf");
        const std::string output = merged(base, adapter, "same", "merged.gguf");
        const auto before = tensor_bytes(o.path), after = tensor_bytes(output);
        const std::string wide = merged(base, adapter, "F32", "merged-f32.gguf");
        const std::string exact_base = tiny::scratch("merge-base-f32.gguf");
        quantize_model({o.path, exact_base, "F32", 1});
        CHECK_NEAR(relative_error(logits(load_path(wide)), logits(load_path(exact_base), adapter)), 0, 2e-4);
        gguf_reader exact(wide);
        for (const auto & [name, bytes] : before) CHECK(after.count(name) == 1);
        const gguf_reader rounded(output);
        for (const gguf_tensor & tensor : rounded.tensors()) {
            std::string values;
            exact.read(*exact.find(tensor.name),
                       [&](const void * data, size_t n) { values.append(static_cast<const char *>(data), n); });
            std::string expected(size_t(tensor.bytes), 0);
            ggml_quantize_chunk(tensor.type, reinterpret_cast<const float *>(values.data()), expected.data(), 0,
                                int64_t(values.size() / sizeof(float)) / tensor.shape[0], tensor.shape[0], nullptr);
            const std::string & got = after.at(tensor.name + " " + ggml_type_name(tensor.type));
            const bool adapted = tensor.name.find("attn_q") != std::string::npos ||
                                 tensor.name.find("ffn_down") != std::string::npos ||
                                 tensor.name.find("ffn_up") != std::string::npos;
            CHECK(adapted ? got == expected : got == before.at(tensor.name + " " + ggml_type_name(tensor.type)));
        }
    }
}

TEST("model-tools/merge: another type gives what quantizing the merged model gives") {
    create_options o = tiny::options("qwen3moe", tiny::scratch("merge-types.gguf"));
    o.embedding_length = o.expert_feed_forward_length = 256;
    o.layers = 4;
    create_model(o);
    const auto base = load_path(o.path);
    const std::string adapter =
        random_adapter(base, weights_of(*base, {"attn_k", "ffn_up_exps"}), "merge-adapter.gguf", 0.02f);
    const std::string wide = merged(base, adapter, "same", "merged-f32.gguf");
    for (const char * type : {"F16", "Q8_0", "Q4_K_M", "Q2_K"}) {
        const std::string quantized = tiny::scratch("merged-quantized.gguf");
        quantize_model({wide, quantized, type, 1});
        const std::string direct = merged(base, adapter, type, "merged.gguf");
        CHECK(tensor_bytes(direct) == tensor_bytes(quantized));
        CHECK(gguf_reader(direct).integer("general.file_type", -1) ==
              gguf_reader(quantized).integer("general.file_type", -2));
    }
}

TEST("model-tools/merge: a model in several files is merged into one, and is saved as one") {
    const auto whole = tiny::load("llama");
    const std::vector<std::string> shards = split_copy(tiny::path("llama"), "merge-split");
    const auto split = load_path(shards[0]);
    const std::string adapter = random_adapter(whole, weights_of(*whole, {"attn_q", "ffn_down"}), "merge-adapter.gguf");
    const std::string one = merged(split, adapter, "same", "merged.gguf");
    CHECK(tensor_bytes(one) == tensor_bytes(merged(whole, adapter, "same", "merged-whole.gguf")));
    CHECK(!gguf_reader(one).has("split.count"));
    CHECK(relative_error(logits(load_path(one)), logits(whole, adapter)) < 1e-5);

    const std::string saved = tiny::scratch("merge-saved.gguf");
    save_model(*split, saved);
    CHECK(tensor_bytes(saved) == tensor_bytes(tiny::path("llama")));
    CHECK(logits(load_path(saved)) == logits(whole));

    CHECK_ERROR("OUTPUT_CONFLICT", merge(split, adapter, shards[2]));
    CHECK_ERROR("MODEL_UNREADABLE", model_files(std::string(shards[2])));
    const std::string renamed = tiny::scratch("merge-renamed.gguf");
    fs::copy_file(shards[0], renamed);
    CHECK_ERROR("MODEL_UNREADABLE", model_files(std::string(renamed)));
    fs::remove(shards[2]);
    CHECK_ERROR("MODEL_NOT_FOUND", model_files(std::string(shards[0])));
}

TEST("model-tools/merge: an abort or an error leaves an existing output as it is") {
    const auto base = tiny::load("llama");
    const std::string adapter = random_adapter(base, weights_of(*base, {"attn_q"}), "merge-adapter.gguf");
    const std::string output = merged(base, adapter, "same", "merge-kept.gguf");
    const auto before = tensor_bytes(output);
    std::atomic<bool> stop{false};
    const auto stop_in_the_middle = [&](const merge_progress & p) { stop = p.done == 3; };
    const merge_options options{adapter, output, "F16"};
    CHECK_ERROR("ABORTED", merge_adapter(base, options, stop_in_the_middle, stop));
    CHECK_ERROR("UNKNOWN_WEIGHT_TYPE", merge(base, adapter, output, "Q4_K"));
    CHECK(tensor_bytes(output) == before);
    for (const auto & entry : fs::directory_iterator(fs::path(output).parent_path()))
        CHECK(entry.path().filename().string().find("merge-kept.gguf.llamatune-tmp") == std::string::npos);
    for (const std::string & input : {tiny::path("llama"), adapter})
        CHECK_ERROR("OUTPUT_CONFLICT", merge(base, adapter, input));
}

TEST("model-tools/merge: token embeddings that are also the output matrix are refused") {
    create_options o = tiny::options("llama", tiny::scratch("merge-tied.gguf"));
    o.tie_embeddings = true;
    create_model(o);
    const auto base = load_path(o.path);
    const std::string adapter = random_adapter(base, {"token_embd.weight"}, "merge-adapter.gguf");
    CHECK_ERROR("MERGE_UNSUPPORTED", merge(base, adapter, tiny::scratch("merged.gguf")));
}

TEST("model-tools/merge: every weight that cannot be merged is named") {
    const auto base = load_path(with_scales(tiny::load("llama"), {"blk.0.attn_q", "blk.1.attn_q"}));
    const std::string adapter =
        random_adapter(base, weights_of(*base, {"attn_q", "attn_v"}), "merge-adapter.gguf", 0.1f);
    const auto scaled = merge_error(base, adapter, "same");
    CHECK(problem_paths(scaled) == std::vector<std::string>({"blk.0.attn_q.weight", "blk.1.attn_q.weight"}));
    CHECK(std::string(scaled.what()).find("'blk.0.attn_q.weight' is multiplied by 'blk.0.attn_q.scale'") !=
          std::string::npos);
}

TEST("model-tools/merge: every weight whose sum is not finite in its type is named") {
    const auto base = tiny::load("llama", "F32");
    const std::vector<std::string> adapted = weights_of(*base, {"attn_q", "attn_v", "ffn_down"});
    CHECK(adapted.size() == 6);
    const std::string large = random_adapter(base, adapted, "large.gguf", 1000.0f);
    const error failed = merge_error(base, large, "F16");
    std::vector<std::string> paths = problem_paths(failed);
    std::sort(paths.begin(), paths.end());
    CHECK(paths == adapted);
    const std::string message = failed.what();
    CHECK(message.find("; and 2 more") == message.size() - std::string("; and 2 more").size());
    const std::string infinite = random_adapter(base, {"blk.0.attn_q.weight"}, "infinite.gguf", 1e25f);
    CHECK(problem_paths(merge_error(base, infinite, "same")) == std::vector<std::string>({"blk.0.attn_q.weight"}));
    const std::string output = tiny::scratch("merged-large.gguf");
    merge(base, large, output);
    CHECK(fs::exists(output));
}

TEST("model-tools/merge: the result says how much of the update a coarse type lost") {
    create_options o = tiny::options("llama", tiny::scratch("merge-coarse.gguf"));
    o.embedding_length = o.feed_forward_length = 256;
    o.type = "Q4_0";
    create_model(o);
    const auto base = load_path(o.path);
    const auto kept = [&](const char * type, float strength) {
        const std::string adapter =
            random_adapter(base, weights_of(*base, {"attn_q", "ffn_up"}), "merge-adapter.gguf", strength);
        double value = -1;
        merged(base, adapter, type, "merged.gguf", &value);
        return value;
    };
    CHECK_NEAR(kept("F32", 0.01f), 1, 1e-5);
    CHECK_NEAR(kept("F16", 0.03f), 1, 0.05);
    CHECK(kept("same", 0.01f) < 0.2); // far below a step of Q4_0
    CHECK_NEAR(kept("same", 0.5f), 1, 0.1);
}
