#include "autodiff/supported-ops.h"

#include "harness.h"

#include <filesystem>
#include <fstream>

namespace fs = std::filesystem;

namespace supported_ops {

namespace {

// "a=1,ne=[1,2],b=x" -> {a: 1, ne: [1,2], b: x}
std::map<std::string, std::string> parse_parameters(const std::string & text) {
    std::map<std::string, std::string> parameters;
    std::string key, value, *into = &key;
    int depth = 0;
    for (const char letter : text + ",") {
        depth += letter == '[' ? 1 : letter == ']' ? -1 : 0;
        if (letter == ',' && depth == 0) {
            parameters[key] = value;
            key.clear();
            value.clear();
            into = &key;
        } else if (letter == '=' && into == &key) {
            into = &value;
        } else {
            *into += letter;
        }
    }
    return parameters;
}

std::vector<std::string> fields(const std::string & line) { // "a","b,c" -> a | b,c
    std::vector<std::string> all(1);
    bool quoted = false;
    for (const char letter : line) {
        if (letter == '"')
            quoted = !quoted;
        else if (letter == ',' && !quoted)
            all.emplace_back();
        else
            all.back() += letter;
    }
    return all;
}

using parameters = std::map<std::string, std::string>;

// Does a given parameter differ from its value in `from`?
bool differs(const parameters & given, const std::map<std::string, std::string> & from) {
    for (const auto & [key, value] : from) {
        const auto found = given.find(key);
        if (found != given.end() && found->second != value) return true;
    }
    return false;
}

// The first finds cases whose sources are permuted, the second cases whose sources are windows of larger tensors.
bool is_permuted(const parameters & given) {
    return differs(given, {{"permute", "0"},
                           {"per", "[0,1,2,3]"},
                           {"perm1", "0"},
                           {"permute_src", "[0,0,0,0]"},
                           {"permute_dst", "[0,0,0,0]"},
                           {"_src_transpose", "0"},
                           {"noncontig", "0"}});
}
bool is_sliced(const parameters & given) {
    return differs(given, {{"slice", "0"}, {"v", "0"}, {"use_view_slice", "0"}, {"k_v", "0"}, {"inplace", "0"}});
}

bool some_source(const ggml_tensor * node, bool (*is)(const ggml_tensor *)) {
    for (const ggml_tensor * source : node->src) {
        if (source && is(source)) return true;
    }
    return false;
}

bool has_permuted_source(const ggml_tensor * node) {
    return some_source(node, [](const ggml_tensor * t) { return !ggml_is_contiguous_rows(t); });
}
bool has_sliced_source(const ggml_tensor * node) {
    return some_source(node, [](const ggml_tensor * t) { return !ggml_is_contiguous(t); });
}

// Is the case the same variant of the op as the node, if variants differ in more than types and layouts?
bool is_variant(const parameters & given, const ggml_tensor * node) {
    const auto value = [&](const char * key) {
        const auto found = given.find(key);
        return found == given.end() ? std::string() : found->second;
    };
    if (node->op == GGML_OP_PAD) {
        bool left = false, node_left = false;
        for (int i = 0; i < 4; i++) {
            const std::string pad = value(("lp" + std::to_string(i)).c_str());
            left = left || (!pad.empty() && pad != "0");
            node_left = node_left || node->op_params[2 * i] != 0;
        }
        return left == node_left && (value("circular") == "1") == (node->op_params[8] != 0);
    }
    if (node->op == GGML_OP_MUL_MAT) { // nr: how often A repeats along dimensions 2 and 3
        const std::string repeats = value("nr");
        const bool along_3 = !repeats.empty() && repeats.substr(repeats.find(',')) != ",1]";
        return !along_3 || node->src[0]->ne[3] != node->src[1]->ne[3];
    }
    return true;
}

// Returns the tensor whose type a parameter of llama.cpp's cases names; null for other parameters.
const ggml_tensor * typed_by(const std::string & key, const ggml_tensor * node) {
    if (key == "type") return node->op == GGML_OP_GET_ROWS ? node->src[0] : node;
    if (key == "type_a" || key == "type_src") return node->src[0];
    if (key == "type_b" || key == "type_idx") return node->src[1];
    return key == "type_dst" ? node : nullptr;
}

bool fits(const std::map<std::string, std::string> & parameters, const ggml_tensor * node) {
    for (const auto & [key, value] : parameters) {
        const ggml_tensor * t = typed_by(key, node);
        if (t && value != ggml_type_name(t->type)) return false;
    }
    return true;
}

}

table::table(const std::string & backend) {
    const fs::path path = fs::path(harness::source_directory()) / "vendor/llama.cpp/docs/ops" / (backend + ".csv");
    std::ifstream file(path);
    if (!file) harness::fail(__FILE__, __LINE__, path.string() + " (node vendor/fetch.mjs fetches it)");
    std::string line;
    std::getline(file, line); // "backend_name","op_name","op_params","test_mode","supported",…
    while (std::getline(file, line)) {
        const std::vector<std::string> field = fields(line);
        if (field.size() < 5 || field[3] != "support") continue;
        rows_[field[1]].push_back({parse_parameters(field[2]), field[4] == "1"});
    }
    CHECK(rows_.size() > 50);
}

answer table::runs(const ggml_tensor * node) const {
    const auto found = rows_.find(ggml_op_desc(node));
    if (found == rows_.end()) return answer::unknown;
    bool yes = false, no = false;
    for (const row & r : found->second) {
        if (is_permuted(r.parameters) && !has_permuted_source(node)) continue;
        if (is_sliced(r.parameters) && !has_sliced_source(node)) continue;
        if (!fits(r.parameters, node) || !is_variant(r.parameters, node)) continue;
        (r.supported ? yes : no) = true;
    }
    return yes ? (no ? answer::some : answer::yes) : no ? answer::no : answer::unknown;
}

std::string text_of(const ggml_tensor * node) {
    std::string text = ggml_op_desc(node);
    const bool several = node->op == GGML_OP_MUL_MAT || node->op == GGML_OP_MUL_MAT_ID || node->op == GGML_OP_SET_ROWS;
    const bool converts = node->op == GGML_OP_CPY || node->op == GGML_OP_GET_ROWS;
    if (several) return text + " " + ggml_type_name(node->src[0]->type) + "×" + ggml_type_name(node->src[1]->type);
    if (converts) return text + " " + ggml_type_name(node->src[0]->type) + "→" + ggml_type_name(node->type);
    return node->type == GGML_TYPE_F32 ? text : text + " " + ggml_type_name(node->type);
}

}
