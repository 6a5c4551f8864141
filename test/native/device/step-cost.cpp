#include "device/step-cost.h"

#include "autodiff/engine/recompute.h"
#include "model/load.h"
#include "train/plan.h"
#include "train/trainable-weights.h"

#include <algorithm>
#include <cstdio>
#include <functional>
#include <map>
#include <set>

using namespace llamatune;

namespace step_cost {

namespace {

// What a GPU does. Rates are those that large kernels reach, not peaks.
struct gpu {
    double bf16_flops, f32_flops; // per second, by tensor cores (F32 as TF32)
    double bytes;                 // per second, of its memory
    int processors;               // a matrix product runs in tiles of 128 x 128, one to a processor at a time
    double kernel_s;              // the shortest time of a kernel within a CUDA graph
    double launch_s;              // the same without CUDA graphs, including ggml's work on the host
};

// H100 SXM: 990 TFLOP/s in BF16, 495 in TF32, 3.35 TB/s.
constexpr gpu h100{550e12, 300e12, 2.7e12, 132, 2.5e-6, 6e-6};

// A node's cost is its arithmetic or its memory traffic, whichever takes longer. Factors that a product converts are
// memory traffic of their own.
struct cost {
    int kernels = 0;
    double flop = 0, bytes = 0;
    double seconds = 0; // in a CUDA graph
};

bool is_view(const ggml_tensor * t) {
    return t->op == GGML_OP_NONE || t->op == GGML_OP_VIEW || t->op == GGML_OP_RESHAPE || t->op == GGML_OP_PERMUTE ||
           t->op == GGML_OP_TRANSPOSE;
}

bool is_product(const ggml_tensor * t) { return t->op == GGML_OP_MUL_MAT || t->op == GGML_OP_OUT_PROD; }

int64_t inner_of(const ggml_tensor * product) {
    return product->op == GGML_OP_OUT_PROD ? product->src[0]->ne[1] : product->src[0]->ne[0];
}

bool is_weight(const ggml_tensor * t) { return t->op == GGML_OP_NONE && !t->view_src && ggml_n_dims(t) > 1; }

double bytes_of(const ggml_tensor * t) {
    return double(ggml_nelements(t)) * double(ggml_type_size(t->type)) / double(ggml_blck_size(t->type));
}

const char * class_of(const ggml_tensor * node) {
    switch (node->op) {
    case GGML_OP_MUL_MAT:
    case GGML_OP_OUT_PROD: {
        const bool with_adapter = std::min({node->ne[0], node->ne[1], inner_of(node)}) <= 16;
        if (with_adapter) return "LoRA pairs";
        if (!is_weight(node->src[0])) return "attention, products";
        if (node->op == GGML_OP_OUT_PROD) return "linear layers, gradient of the input";
        return is_recomputed(node) ? "linear layers, recomputed" : "linear layers, forward";
    }
    case GGML_OP_MUL_MAT_ID: return "experts";
    case GGML_OP_SOFT_MAX:
    case GGML_OP_SOFT_MAX_BACK: return "attention, soft-max";
    case GGML_OP_RMS_NORM:
    case GGML_OP_RMS_NORM_BACK: return "norms";
    case GGML_OP_ROPE:
    case GGML_OP_ROPE_BACK: return "RoPE";
    case GGML_OP_UNARY:
    case GGML_OP_GLU:
    case GGML_OP_SILU_BACK: return "activations";
    case GGML_OP_CONT:
    case GGML_OP_CPY:
    case GGML_OP_DUP:
    case GGML_OP_CONCAT:
    case GGML_OP_REPEAT:
    case GGML_OP_GET_ROWS:
    case GGML_OP_SET_ROWS:
    case GGML_OP_ACC: return "copies";
    default: return "element-wise";
    }
}

void add_product(cost & c, const ggml_tensor * node, const gpu & on) {
    const bool bf16 = node->op_params[3] == GGML_PREC_BF16;
    const ggml_type type = bf16 ? GGML_TYPE_BF16 : GGML_TYPE_F32;
    const double wide = bf16 ? 2 : 4;
    double read = 0, converted = 0;
    for (const ggml_tensor * factor : {node->src[0], node->src[1]}) {
        const double n = double(ggml_nelements(factor));
        read += n * wide;
        if (factor->type == type) continue;
        converted += bytes_of(factor) + n * wide;
        c.kernels++;
        c.seconds += std::max((bytes_of(factor) + n * wide) / on.bytes, on.kernel_s);
    }
    const double batch = double(node->ne[2] * node->ne[3]);
    const double flop = 2 * double(node->ne[0]) * double(node->ne[1]) * double(inner_of(node)) * batch;
    const double tiles = double((node->ne[0] + 127) / 128) * double((node->ne[1] + 127) / 128) * batch;
    // cuBLAS divides a long inner dimension among processors that would be idle
    const double parts = std::max(1.0, std::min(double(inner_of(node) / 1024), on.processors / tiles));
    const double waves = double(int64_t((tiles * parts + on.processors - 1) / on.processors));
    const double busy = tiles * parts / (waves * on.processors);
    const double bytes = read + bytes_of(node);
    c.kernels++;
    c.flop += flop;
    c.bytes += converted + bytes;
    c.seconds += std::max({flop / ((bf16 ? on.bf16_flops : on.f32_flops) * busy), bytes / on.bytes, on.kernel_s});
}

void add_node(cost & c, const ggml_tensor * node, const gpu & on) {
    if (is_product(node)) return add_product(c, node, on);
    double bytes = bytes_of(node);
    std::set<const ggml_tensor *> seen;
    const bool by_rows = node->op == GGML_OP_GET_ROWS || node->op == GGML_OP_SET_ROWS;
    for (const ggml_tensor * source : node->src) {
        if (source && source != node && seen.insert(source).second) {
            bytes += by_rows ? std::min(bytes_of(source), bytes_of(node->op == GGML_OP_GET_ROWS ? node : node->src[0]))
                             : bytes_of(source);
        }
    }
    if (node->op == GGML_OP_SET_ROWS) bytes = 2 * bytes_of(node->src[0]);
    c.kernels++;
    c.bytes += bytes;
    c.seconds += std::max(bytes / on.bytes, on.kernel_s);
}

// As in a profile: "MUL_MAT q8_0 2048x512x1".
std::string kind_of(const ggml_tensor * node) {
    const std::string type = node->src[0] ? ggml_type_name(node->src[0]->type) : "";
    return std::string(ggml_op_desc(node)) + " " + type + " " + std::to_string(node->ne[0]) + "x" +
           std::to_string(node->ne[1]) + "x" + std::to_string(node->ne[2]);
}

using key_of = std::function<std::string(const ggml_tensor * node, bool is_loss)>;

std::string class_key(const ggml_tensor * node, bool is_loss) {
    if (!is_loss) return class_of(node);
    return is_product(node) ? "loss, output projection" : "loss, other";
}

std::string kind_key(const ggml_tensor * node, bool is_loss) { return (is_loss ? "loss " : "") + kind_of(node); }

void add_graph(std::map<std::string, cost> & all, ggml_cgraph * graph, double times, bool is_loss, const gpu & on,
               const key_of & key) {
    std::map<std::string, cost> once;
    for (int i = 0; i < ggml_graph_n_nodes(graph); i++) {
        const ggml_tensor * node = ggml_graph_node(graph, i);
        if (!is_view(node)) add_node(once[key(node, is_loss)], node, on);
    }
    for (const auto & [name, c] : once) {
        cost & sum = all[name];
        sum.kernels += int(times * c.kernels);
        sum.flop += times * c.flop;
        sum.bytes += times * c.bytes;
        sum.seconds += times * c.seconds;
    }
}

std::map<std::string, cost> cost_by(const key_of & key, const step_graphs & graphs, int64_t n_tokens, const gpu & on) {
    std::map<std::string, cost> all;
    add_graph(all, graphs.trunk, 1, false, on, key);
    add_graph(all, graphs.chunk, double((n_tokens + graphs.columns - 1) / graphs.columns), true, on, key);
    return all;
}

void print_row(const std::string & name, const cost & c) {
    std::printf("| %s | %d | %.0f | %.2f | %.2f |\n", name.c_str(), c.kernels, c.flop / 1e9, c.bytes / 1e9,
                1e3 * c.seconds);
}

void print_costliest(const std::map<std::string, cost> & all, size_t n) {
    std::vector<std::pair<std::string, cost>> sorted(all.begin(), all.end());
    std::sort(sorted.begin(), sorted.end(), [](auto & a, auto & b) { return a.second.seconds > b.second.seconds; });
    for (size_t i = 0; i < std::min(n, sorted.size()); i++) print_row(sorted[i].first, sorted[i].second);
}

}

std::vector<std::string> ops_on_host(const step_graphs & graphs, ggml_backend_dev_t device) {
    std::set<std::string> names;
    for (ggml_cgraph * graph : {graphs.trunk, graphs.chunk}) {
        for (int i = 0; i < ggml_graph_n_nodes(graph); i++) {
            const ggml_tensor * node = ggml_graph_node(graph, i);
            if (ggml_backend_dev_supports_op(device, node)) continue;
            std::string name = ggml_op_desc(node);
            for (const ggml_tensor * source : node->src) {
                if (source) name += std::string(" ") + ggml_type_name(source->type);
            }
            names.insert(name);
        }
    }
    return {names.begin(), names.end()};
}

int print(const std::vector<std::string> & arguments) {
    if (arguments.size() < 3) {
        std::printf("usage: --step-cost model.gguf rows tokens-per-row [checkpointing]\n");
        return 2;
    }
    load_options from;
    from.path = arguments[0];
    from.gpu_layers = -1;
    from.use_mmap = true;
    const auto base = model::load(from);
    train_options options;
    options.layout = batch_layout::padded;
    options.micro_batch_size = options.batch_size = std::stoi(arguments[1]);
    options.sequence_length = std::stoi(arguments[2]);
    options.lora.rank = 8;
    options.lora.targets = std::vector<std::string>{"all-linear"};
    options.gradient_checkpointing = arguments.size() > 3;
    const compute devices(*base, 1, "bf16");
    trainable_weights weights(base, options);
    auto graph = std::make_unique<forward>(base, weights.adapter_handle(), first_shape(options), devices);
    weights.collect(*graph);
    step_options of_step = step_options_of(options);
    of_step.allocate = false;
    const step built(std::move(graph), devices, &weights.parameters(), of_step);
    const step_graphs graphs = built.graphs();
    const int64_t n_tokens = first_shape(options).n_tokens();

    std::map<std::string, cost> all = cost_by(class_key, graphs, n_tokens, h100);
    cost & optimizer = all["optimizer"]; // square, sum and clip all gradients at once; AdamW for each tensor
    optimizer.kernels = 4 + int(weights.parameters().all().size());
    optimizer.bytes = 4.0 * 12 * double(weights.parameters().n_elements());
    optimizer.seconds = std::max(optimizer.bytes / h100.bytes, optimizer.kernels * h100.kernel_s);
    cost total;
    std::printf("| | kernels | GFLOP | GB | ms |\n|---|---|---|---|---|\n");
    for (const auto & [name, c] : all) {
        print_row(name, c);
        total.kernels += c.kernels;
        total.flop += c.flop;
        total.bytes += c.bytes;
        total.seconds += c.seconds;
    }
    print_row("total", total);
    std::printf("\n%.0f tokens/s with CUDA graphs; launches alone without them: %.1f ms; %.2f GB of activations; "
                "%d and %d splits; %lld chunks of the loss\n",
                double(n_tokens) / total.seconds, 1e3 * total.kernels * h100.launch_s,
                double(built.compute_bytes()) / 1e9, graphs.trunk_splits, graphs.chunk_splits,
                (long long)((n_tokens + graphs.columns - 1) / graphs.columns));
    std::printf("\n");
    print_costliest(cost_by(kind_key, graphs, n_tokens, h100), 40);
    for (const std::string & op : ops_on_host(graphs, devices.devices().front()))
        std::printf("on the CPU: %s\n", op.c_str());
    return 0;
}

}
