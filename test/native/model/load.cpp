#include "gguf/edited.h"
#include "harness.h"
#include "model/tiny-models.h"

#include "core/error.h"
#include "core/log.h"
#include "gguf/reader.h"
#include "model/info.h"
#include "model/load.h"

#include <filesystem>
#include <fstream>
#include <limits>

using namespace llamatune;
namespace fs = std::filesystem;

static std::shared_ptr<model> load_path(const std::string & path) {
    load_options o;
    o.path = path;
    return model::load(o);
}

static std::string message_of(const std::string & path) {
    try {
        load_path(path);
    } catch (const error & e) { return e.what(); }
    return {};
}

static void write_file(const std::string & path, const std::string & bytes) {
    std::ofstream(path, std::ios::binary) << bytes;
}

TEST("model/load: created models load, with progress up to 1") {
    for (const char * architecture : {"llama", "qwen3", "gemma3"}) {
        float last = -1;
        load_options o;
        o.path = tiny::path(architecture);
        o.progress = [&](float fraction) {
            CHECK(fraction >= last);
            last = fraction;
            return true;
        };
        CHECK(model::load(o)->handle() != nullptr);
        CHECK_EQ(last, 1.0f);
    }
}

TEST("model/load: a missing file and a folder are refused") {
    CHECK_ERROR("MODEL_NOT_FOUND", load_path("/no/such/model.gguf"));
    CHECK_ERROR("MODEL_NOT_FOUND", load_path(""));
    CHECK_ERROR("MODEL_UNREADABLE", load_path(harness::cache_directory()));
}

TEST("model/load: a vocabulary loads without weights, also from a whole model") {
    load_options o;
    o.vocabulary_only = true;
    o.path = tiny::vendored_vocabulary("qwen2");
    CHECK_ERROR("MODEL_UNSUPPORTED", load_path(o.path));
    CHECK_EQ(describe(*model::load(o)).vocabulary_size, 151936);
    o.path = tiny::path("qwen3");
    const model_info info = describe(*model::load(o));
    CHECK_EQ(info.vocabulary_size, tiny::n_tokens);
    CHECK(info.tensors.empty());
    CHECK((info.end_of_generation_tokens == std::vector<int32_t>{tiny::im_end}));
}

TEST("model/load: files that are not GGUF are refused") {
    const std::string path = tiny::scratch("no-gguf.gguf");
    for (const std::string bytes : {"", "GG", "not a model at all", "{\"json\": true}"}) {
        write_file(path, bytes);
        CHECK_ERROR("NOT_A_GGUF", load_path(path));
    }
    write_file(path, std::string("GGUF\xff\xff\xff\x7f", 8) + std::string(64, '\xff')); // an impossible version
    CHECK_ERROR("NOT_A_GGUF", load_path(path));
    CHECK(message_of(path).find("version") != std::string::npos);
}

TEST("model/load: a truncated file is an error that gives the expected length") {
    std::ifstream in(tiny::path("llama"), std::ios::binary);
    const std::string whole((std::istreambuf_iterator<char>(in)), {});
    const std::string path = tiny::scratch("cut.gguf");
    for (const size_t n :
         {size_t(6), size_t(20), size_t(40), size_t(300), size_t(3000), whole.size() / 2, whole.size() - 40}) {
        write_file(path, whole.substr(0, n));
        CHECK_ERROR("MODEL_TRUNCATED", load_path(path));
        CHECK(message_of(path).find(std::to_string(n) + " bytes") != std::string::npos);
    }
    write_file(path, whole + "trailing bytes do no harm");
    CHECK(load_path(path) != nullptr);
}

TEST("model/load: an adapter, an unknown architecture and a bare vocabulary are not models") {
    const std::string path = tiny::scratch("other.gguf");
    const auto write = [&](const char * type, const char * architecture) {
        const gguf_context_ptr gguf(gguf_init_empty());
        gguf_set_val_str(gguf.get(), "general.type", type);
        if (architecture) gguf_set_val_str(gguf.get(), "general.architecture", architecture);
        CHECK(gguf_write_to_file(gguf.get(), path.c_str(), true));
    };
    write("adapter", "llama");
    CHECK_ERROR("MODEL_IS_ADAPTER", load_path(path));
    CHECK(message_of(path).find("adapter") != std::string::npos);
    write("model", "hal9000");
    CHECK_ERROR("MODEL_UNSUPPORTED", load_path(path));
    CHECK(message_of(path).find("hal9000") != std::string::npos);
    write("model", nullptr);
    CHECK_ERROR("MODEL_UNSUPPORTED", load_path(path));
    CHECK_ERROR("MODEL_UNSUPPORTED", load_path(tiny::vendored_vocabulary("gpt-2")));
}

TEST("model/load: missing weights are reported with llama.cpp's message") {
    const std::string path = tiny::scratch("missing-weights.gguf");
    const gguf_context_ptr gguf(gguf_init_empty());
    gguf_set_kv(gguf.get(), gguf_reader(tiny::path("llama")).metadata());
    const ggml_context_ptr ctx(ggml_init({4096, nullptr, false}));
    ggml_tensor * t = ggml_new_tensor_1d(ctx.get(), GGML_TYPE_F32, 64);
    ggml_set_name(t, "output_norm.weight");
    gguf_add_tensor(gguf.get(), t);
    CHECK(gguf_write_to_file(gguf.get(), path.c_str(), false));
    CHECK_ERROR("MODEL_LOAD_FAILED", load_path(path));
    CHECK(message_of(path).find("token_embd.weight") != std::string::npos);
}

TEST("model/load: the progress callback can cancel, and its exception is rethrown") {
    load_options o;
    o.path = tiny::path("qwen3");
    o.progress = [](float) { return false; };
    CHECK_ERROR("ABORTED", model::load(o));
    o.progress = [](float) -> bool { throw error("MINE", "from the callback"); };
    CHECK_ERROR("MINE", model::load(o));
    o.progress = nullptr;
    CHECK(model::load(o) != nullptr);
}

TEST("model/load: two tokens with the same text are refused by their numbers") {
    const std::string path =
        harness::edited_gguf(tiny::path("llama"), tiny::scratch("same-tokens.gguf"), [](gguf_context * g) {
            const int64_t key = gguf_find_key(g, "tokenizer.ggml.tokens");
            std::vector<std::string> texts;
            for (size_t i = 0; i < gguf_get_arr_n(g, key); i++) texts.emplace_back(gguf_get_arr_str(g, key, i));
            texts[17] = texts[5];
            std::vector<const char *> pointers;
            for (const std::string & text : texts) pointers.push_back(text.c_str());
            gguf_set_arr_str(g, "tokenizer.ggml.tokens", pointers.data(), pointers.size());
        });
    CHECK_ERROR("MODEL_INVALID", load_path(path));
    CHECK(message_of(path).find("tokens 5 and 17 have the same text") != std::string::npos);
}
