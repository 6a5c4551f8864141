// Compares the ops that each gradient rule emits with llama.cpp's lists of supported ops. docs/gradient-rules.md shows
// them as a table; run `npm run docs` after changing a rule.

#include "autodiff/engine/backward.h"
#include "autodiff/graph-nodes.h"
#include "autodiff/op-cases.h"
#include "autodiff/supported-ops.h"
#include "core/join.h"
#include "harness.h"

#include <ggml-backend.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>

using namespace llamatune;
using supported_ops::answer;
namespace fs = std::filesystem;

namespace {

const char * const backends[] = {"Metal", "Vulkan", "CUDA"};

struct emitted_ops {
    std::set<std::string> ops;                             // as text
    std::map<std::string, std::set<std::string>> lacking;  // back end -> ops that it does not run
    std::map<std::string, std::set<std::string>> limited;  // back end -> ops that it runs for some sizes
    std::map<std::string, std::set<std::string>> untested; // back end -> ops without a case in its list
};

bool runs_nothing(const ggml_tensor * node) {
    switch (node->op) {
    case GGML_OP_NONE:
    case GGML_OP_VIEW:
    case GGML_OP_RESHAPE:
    case GGML_OP_PERMUTE:
    case GGML_OP_TRANSPOSE: return true;
    default: return false;
    }
}

const std::map<std::string, supported_ops::table> & tables() {
    static const std::map<std::string, supported_ops::table> all = [] {
        std::map<std::string, supported_ops::table> made;
        for (const char * name : backends) made.emplace(name, supported_ops::table(name));
        return made;
    }();
    return all;
}

// The rules of these ops run the op itself again over fewer tokens, which any device that runs the forward pass
// supports.
bool is_scan(const ggml_tensor * node) { return node->op == GGML_OP_SSM_SCAN || node->op == GGML_OP_GATED_DELTA_NET; }

void collect(const ggml_tensor * node, emitted_ops & into) {
    if (runs_nothing(node)) return;
    const std::string text = supported_ops::text_of(node);
    into.ops.insert(text);
    for (const auto & [name, table] : tables()) {
        const answer result = table.runs(node);
        if (result == answer::no) into.lacking[name].insert(text);
        if (result == answer::some && !is_scan(node)) into.limited[name].insert(text);
        if (result == answer::unknown) into.untested[name].insert(text);
    }
}

// Collects the backward part of each case's composed graph, by rule.
std::map<std::string, emitted_ops> all_emitted() {
    ggml_backend_dev_t cpu = ggml_backend_dev_by_type(GGML_BACKEND_DEVICE_TYPE_CPU);
    std::map<std::string, emitted_ops> rules;
    for (const op_cases::op_case & c : op_cases::all()) {
        op_cases::leaves leaves(1);
        ggml_tensor * output = c.build(leaves);
        if (!ggml_is_contiguous(output)) output = ggml_cont(leaves.ctx(), output);
        leaves.graph().expand(output);
        ggml_cgraph * graph = leaves.graph().finish();
        const std::vector<ggml_tensor *> nodes = nodes_of(graph);
        gradients g(leaves.graph(), {cpu}, {rule_mode::composed});
        for (ggml_tensor * p : leaves.parameters()) g.want(p);
        mark_gradient_path(g, nodes);
        g.add(output, leaves.constant({output->ne[0], output->ne[1], output->ne[2], output->ne[3]}));
        run_backward(g, nodes);
        graph = leaves.graph().finish();
        for (int i = int(nodes.size()); i < ggml_graph_n_nodes(graph); i++) {
            collect(ggml_graph_node(graph, i), rules[c.rule]);
        }
    }
    return rules;
}

std::string verdict(const emitted_ops & rule, const std::string & backend) {
    std::string text;
    const auto add = [&](const std::map<std::string, std::set<std::string>> & ops, const char * what) {
        const auto found = ops.find(backend);
        if (found != ops.end()) append_to(text, what + join(found->second), "; ");
    };
    add(rule.lacking, "not ");
    add(rule.limited, "some sizes of ");
    add(rule.untested, "not in its list: ");
    return text.empty() ? "yes" : text;
}

std::string document() {
    std::string text = R"(# Gradient rules and devices

The ops that each gradient rule emits if it is composed from primitives, which is the case on every device without a fused
op for the gradient, and whether Metal, Vulkan and CUDA support all of them according to llama.cpp (`docs/ops/*.csv` in its
source). The ops are those of the test cases of the rule (`test/native/autodiff`); types other than F32 are shown. During
training, the CPU runs the ops that a device does not support.

`npm run docs` writes this table, and a test fails if it is out of date.

| rule | operations emitted | Metal | Vulkan | CUDA |
|---|---|---|---|---|
)";
    for (const auto & [name, rule] : all_emitted()) {
        text += "| " + name + " | " + join(rule.ops);
        for (const char * backend : backends) text += " | " + verdict(rule, backend);
        text += " |\n";
    }
    text += R"(
The gradient through a frozen matrix needs its values as F32. How a device converts a weight of each type to F32
(`native/autodiff/engine/dequantize.cpp`):

| type | Metal | Vulkan | CUDA |
|---|---|---|---|
)";
    for (int i = 0; i < GGML_TYPE_COUNT; i++) {
        const ggml_type type = ggml_type(i);
        if (type == GGML_TYPE_F32 || !ggml_get_type_traits(type)->to_float) continue;
        const ggml_context_ptr ctx{ggml_init({16 * ggml_tensor_overhead(), nullptr, true})};
        ggml_tensor * weight = ggml_new_tensor_2d(ctx.get(), type, 512, 4);
        ggml_tensor * index = ggml_new_tensor_1d(ctx.get(), GGML_TYPE_I32, 4);
        ggml_tensor * columns = ggml_new_tensor_2d(ctx.get(), GGML_TYPE_F32, 512, 4);
        const std::pair<const char *, ggml_tensor *> conversions[] = {
            {"cast", ggml_cast(ctx.get(), weight, GGML_TYPE_F32)},
            {"rows", ggml_get_rows(ctx.get(), weight, index)},
            {"product", ggml_mul_mat(ctx.get(), weight, columns)},
        };
        text += std::string("| ") + ggml_type_name(type);
        for (const char * backend : backends) {
            bool listed = false;
            for (const auto & conversion : conversions)
                listed = listed || tables().at(backend).runs(conversion.second) != answer::unknown;
            std::string conversion_name = listed ? "on the CPU" : "not in its list";
            for (auto conversion = std::rbegin(conversions); conversion != std::rend(conversions); ++conversion) {
                if (tables().at(backend).runs(conversion->second) == answer::yes) conversion_name = conversion->first;
            }
            text += " | " + conversion_name;
        }
        text += " |\n";
    }
    return text;
}

fs::path document_path() { return fs::path(harness::source_directory()) / "docs" / "gradient-rules.md"; }

}

TEST("autodiff/devices: Metal runs everything that composed gradient rules emit") {
    std::string wrong;
    for (const auto & [name, rule] : all_emitted()) {
        const std::string received = verdict(rule, "Metal");
        if (received != "yes") wrong += "\n    " + name + ": " + received;
    }
    if (!wrong.empty()) harness::fail(__FILE__, __LINE__, "operations that Metal runs but received" + wrong);
}

TEST("autodiff/devices: docs/gradient-rules.md lists the ops that the rules emit") {
    const std::string expected = document();
    if (std::getenv("LLAMATUNE_WRITE_DOCS")) { std::ofstream(document_path(), std::ios::binary) << expected; }
    std::ifstream file(document_path(), std::ios::binary);
    const std::string received{std::istreambuf_iterator<char>(file), {}};
    if (received == expected) return;
    harness::fail(__FILE__, __LINE__, "docs/gradient-rules.md to say what the rules emit: run npm run docs");
}
