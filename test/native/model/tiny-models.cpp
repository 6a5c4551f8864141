#include "model/tiny-models.h"

#include "harness.h"

#include <filesystem>
#include <set>

using namespace llamatune;
namespace fs = std::filesystem;

namespace tiny {

namespace {

// Returns GPT-2's printable character for a byte: printable Latin-1 stays, other bytes are U+0100 and up.
std::string byte_text(int byte) {
    const auto printable = [](int b) {
        return (b >= 33 && b <= 126) || (b >= 161 && b <= 172) || (b >= 174 && b <= 255);
    };
    int code = byte;
    if (!printable(byte)) {
        code = 256;
        for (int b = 0; b < byte; b++) code += !printable(b);
    }
    if (code < 0x80) return std::string(1, char(code));
    return {char(0xc0 | (code >> 6)), char(0x80 | (code & 0x3f))};
}

}

vocabulary_options byte_vocabulary() {
    vocabulary_options v;
    v.pre = "qwen2";
    for (int b = 0; b < 256; b++) v.tokens.push_back(byte_text(b));
    const std::string space = byte_text(' ');
    const std::pair<std::string, std::string> merges[] = {{"t", "h"}, {"th", "e"}, {space, "the"},
                                                          {"h", "e"}, {"i", "n"},  {"a", "n"}};
    for (const auto & [left, right] : merges) {
        v.tokens.push_back(left + right);
        v.merges.push_back(left + " " + right);
    }
    v.tokens.push_back("<|im_start|>");
    v.tokens.push_back("<|im_end|>");
    v.token_types.assign(v.tokens.size(), 1);
    v.token_types[im_start] = v.token_types[im_end] = 3;
    v.eos_token = im_end;
    return v;
}

create_options options(const std::string & architecture, const std::string & path) {
    create_options o;
    o.path = path;
    o.architecture = architecture;
    o.name = "tiny " + architecture;
    o.vocabulary = byte_vocabulary();
    o.chat_template = "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}";
    o.context_length = 512;
    o.embedding_length = 64;
    o.layers = 2;
    o.heads = 4;
    o.kv_heads = 2;
    o.head_length = 16;
    o.feed_forward_length = 128;
    if (architecture == "qwen3moe") {
        o.experts = 8;
        o.used_experts = 2;
        o.expert_feed_forward_length = 32;
    }
    o.init_std = 0.2f; // large, so that logits differ enough for sampling
    return o;
}

std::string scratch(const std::string & file) {
    const fs::path dir = fs::path(harness::cache_directory()) / "scratch";
    fs::create_directories(dir);
    const fs::path path = dir / file;
    fs::remove_all(path);
    return path.string();
}

std::string path(const std::string & architecture, const std::string & type) {
    static std::set<std::string> made;
    const fs::path path = fs::path(harness::cache_directory()) / ("tiny-" + architecture + "-" + type + ".gguf");
    if (made.insert(path.string()).second) {
        create_options o = options(architecture, path.string());
        o.type = type;
        create_model(o);
    }
    return path.string();
}

std::shared_ptr<model> load(const std::string & architecture, const std::string & type, bool repack) {
    load_options o;
    o.path = path(architecture, type);
    o.repack = repack;
    return model::load(o);
}

std::string vendored_vocabulary(const std::string & name) {
    const fs::path root = harness::source_directory();
    const fs::path path = root / "vendor" / "llama.cpp" / "models" / ("ggml-vocab-" + name + ".gguf");
    if (!fs::exists(path)) harness::fail(__FILE__, __LINE__, path.string() + " (node vendor/fetch.mjs fetches it)");
    return path.string();
}

}
