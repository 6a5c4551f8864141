#include "graph/memory-plan.h"

#include "core/graph-builder.h"
#include "core/rng.h"
#include "core/tensor-arena.h"
#include "harness.h"
#include "model/tiny-models.h"
#include "tiny-batch.h"
#include "train/tiny-training.h"

#include <algorithm>
#include <functional>
#include <map>
#include <set>

using namespace llamatune;

namespace {

constexpr size_t alignment = 64;

struct life {
    int born, last;
};

// The nodes during which each tensor is needed, by a definition that does not share code with the plan.
std::map<const ggml_tensor *, life> lives_of(ggml_cgraph * graph) {
    const int n = ggml_graph_n_nodes(graph);
    std::map<const ggml_tensor *, life> lives;
    for (int i = 0; i < n; i++) {
        const ggml_tensor * node = ggml_graph_node(graph, i);
        if (!node->view_src) lives[node] = {i, -1};
        for (const ggml_tensor * source : node->src) {
            if (!source) continue;
            const ggml_tensor * of = source->view_src ? source->view_src : source;
            if (lives.count(of)) lives[of].last = i;
        }
        if (node->view_src && lives.count(node->view_src)) lives[node->view_src].last = -1; // until the view is read
    }
    for (auto & [tensor, l] : lives) {
        if (l.last < 0 || (tensor->flags & GGML_TENSOR_FLAG_OUTPUT)) l.last = n;
    }
    return lives;
}

// The bytes of the tensors that are needed at once, at most.
size_t most_alive(ggml_cgraph * graph) {
    const auto lives = lives_of(graph);
    size_t most = 0;
    for (int i = 0; i < ggml_graph_n_nodes(graph); i++) {
        size_t alive = 0;
        for (const auto & [tensor, l] : lives) alive += l.born <= i && i <= l.last ? ggml_nbytes(tensor) : 0;
        most = std::max(most, alive);
    }
    return most;
}

void check_plan(ggml_cgraph * graph, const memory_plan & plan) {
    const auto lives = lives_of(graph);
    CHECK_EQ(plan.places.size(), lives.size());
    for (const memory_plan::place & a : plan.places) {
        CHECK(a.offset % alignment == 0 && a.offset + ggml_nbytes(a.tensor) <= plan.bytes);
        const life & la = lives.at(a.tensor);
        for (const memory_plan::place & b : plan.places) {
            const life & lb = lives.at(b.tensor);
            if (a.tensor == b.tensor || a.offset >= b.offset + ggml_nbytes(b.tensor) ||
                b.offset >= a.offset + ggml_nbytes(a.tensor)) {
                continue;
            }
            // they share memory: one is read last by the node that makes the other, or earlier
            CHECK(la.last <= lb.born || lb.last <= la.born);
            const bool overwrites = la.last == lb.born || lb.last == la.born;
            CHECK(!overwrites || a.offset == b.offset);
        }
    }
}

ggml_cgraph * graph_of(tensor_arena & ctx, const std::vector<ggml_tensor *> & nodes) {
    ggml_cgraph * graph = ggml_new_graph_custom(ctx, 1024, false);
    for (ggml_tensor * node : nodes) ggml_build_forward_expand(graph, node);
    return graph;
}

}

TEST("graph/memory-plan: kept results of layers leave no gaps between larger ones that come and go") {
    // as in training with gradient checkpointing: a narrow result of each layer is kept, wide ones are made again
    constexpr int64_t width = 1024, n_layers = 24;
    tensor_arena ctx;
    std::vector<float> memory(16); // weights and inputs have memory already
    ggml_tensor * up = ggml_new_tensor_2d(ctx, GGML_TYPE_F32, width, 4 * width);
    ggml_tensor * down = ggml_new_tensor_2d(ctx, GGML_TYPE_F32, 4 * width, width);
    ggml_tensor * x = ggml_new_tensor_1d(ctx, GGML_TYPE_F32, width);
    for (ggml_tensor * t : {up, down, x}) t->data = memory.data();
    std::vector<ggml_tensor *> kept{x};
    for (int64_t i = 0; i < n_layers; i++) {
        kept.push_back(ggml_mul_mat(ctx, down, ggml_mul_mat(ctx, up, kept.back())));
    }
    std::vector<ggml_tensor *> nodes{kept.back()};
    ggml_tensor * gradient = kept.back();
    for (int64_t i = n_layers; i-- > 0;) {
        ggml_tensor * again = ggml_mul_mat(ctx, up, kept[size_t(i)]);
        gradient = ggml_mul_mat(ctx, down, ggml_mul(ctx, ggml_mul_mat(ctx, up, gradient), again));
        nodes.push_back(gradient);
    }
    ggml_cgraph * graph = graph_of(ctx, nodes);
    const memory_plan plan = plan_memory(graph, alignment);
    check_plan(graph, plan);
    CHECK(double(plan.bytes) <= 1.05 * double(most_alive(graph)));
}

TEST("graph/memory-plan: a sum overwrites a source that nothing else reads, and a result is kept") {
    tensor_arena ctx;
    ggml_tensor * weight = ggml_new_tensor_2d(ctx, GGML_TYPE_F32, 16, 256);
    std::vector<float> memory(16);
    weight->data = memory.data();
    ggml_tensor * input = ggml_new_tensor_1d(ctx, GGML_TYPE_F32, 16);
    input->data = memory.data();
    ggml_tensor * a = ggml_mul_mat(ctx, weight, input);
    ggml_tensor * b = ggml_add(ctx, a, a);     // the last reader of a
    ggml_tensor * c = ggml_add(ctx, b, b);     // b is read again below
    ggml_tensor * d = ggml_mul_mat(ctx, b, c); // [1]
    ggml_cgraph * graph = graph_of(ctx, {d});
    ggml_set_output(b);
    const memory_plan plan = plan_memory(graph, alignment);
    check_plan(graph, plan);
    const auto offset = [&](const ggml_tensor * t) {
        return std::find_if(plan.places.begin(), plan.places.end(), [&](auto & p) { return p.tensor == t; })->offset;
    };
    CHECK_EQ(offset(a), offset(b));
    CHECK(offset(b) != offset(c) && offset(b) != offset(d) && offset(c) != offset(d));
}

TEST("graph/memory-plan: a node does not overwrite a source that it also reads in another order") {
    tensor_arena ctx;
    std::vector<float> memory(16);
    ggml_tensor * weight = ggml_new_tensor_2d(ctx, GGML_TYPE_F32, 16, 8);
    ggml_tensor * input = ggml_new_tensor_2d(ctx, GGML_TYPE_F32, 16, 8);
    for (ggml_tensor * t : {weight, input}) t->data = memory.data();
    const auto overwrites = [&](const std::function<ggml_tensor *(ggml_tensor *)> & other) {
        ggml_tensor * a = ggml_mul_mat(ctx, weight, input); // [8, 8]
        ggml_tensor * b = ggml_add(ctx, a, other(a));
        const memory_plan plan = plan_memory(graph_of(ctx, {b}), alignment);
        std::map<const ggml_tensor *, size_t> offsets;
        for (const memory_plan::place & p : plan.places) offsets[p.tensor] = p.offset;
        return offsets.at(a) == offsets.at(b);
    };
    CHECK(overwrites([](ggml_tensor * a) { return a; }));
    CHECK(overwrites([&](ggml_tensor * a) { return ggml_view_tensor(ctx, a); }));
    CHECK(!overwrites([&](ggml_tensor * a) { return ggml_transpose(ctx, a); }));
    CHECK(!overwrites([&](ggml_tensor * a) { return ggml_view_1d(ctx, a, 8, a->nb[1]); }));
}

TEST("graph/memory-plan: no two tensors of a random graph share memory while both are needed") {
    for (uint64_t seed = 1; seed <= 40; seed++) {
        rng random(seed);
        const auto pick = [&](size_t n) { return size_t(random.below(n)); };
        tensor_arena ctx;
        std::vector<float> memory(16);
        std::vector<ggml_tensor *> tensors;
        for (int64_t width : {32, 64, 256}) {
            tensors.push_back(ggml_new_tensor_1d(ctx, GGML_TYPE_F32, width));
            tensors.back()->data = memory.data();
        }
        std::vector<ggml_tensor *> nodes;
        while (nodes.size() < 150) {
            ggml_tensor * t = tensors[pick(tensors.size())];
            ggml_tensor * made = nullptr;
            switch (pick(5)) {
            case 0: made = ggml_scale(ctx, t, 2.0f); break;
            case 1: made = ggml_add(ctx, t, t); break;
            case 2: made = ggml_concat(ctx, t, tensors[pick(tensors.size())], 0); break;
            case 3: made = ggml_view_1d(ctx, t, std::max<int64_t>(1, t->ne[0] / 2), 0); break;
            default: made = ggml_sum_rows(ctx, ggml_cont(ctx, t)); break;
            }
            if (made->ne[0] > 4096) continue;
            tensors.push_back(made);
            nodes.push_back(made);
        }
        ggml_cgraph * graph = graph_of(ctx, nodes);
        check_plan(graph, plan_memory(graph, alignment));
    }
}

TEST("graph/memory-plan: no view of a training graph is left unread, since it would keep its source until the end") {
    for (const char * name : {"llama", "qwen3", "gemma3"}) {
        const auto m = tiny::arch(name);
        const tiny::training training(m, tiny_batch(*m, 1, 64), {});
        ggml_cgraph * graph = training.graphs().trunk;
        std::set<const ggml_tensor *> read;
        for (int i = 0; i < ggml_graph_n_nodes(graph); i++) {
            const ggml_tensor * node = ggml_graph_node(graph, i);
            read.insert(std::begin(node->src), std::end(node->src));
        }
        for (int i = 0; i < ggml_graph_n_nodes(graph); i++) {
            const ggml_tensor * node = ggml_graph_node(graph, i);
            const bool view = node->op == GGML_OP_VIEW || node->op == GGML_OP_RESHAPE || node->op == GGML_OP_PERMUTE ||
                              node->op == GGML_OP_TRANSPOSE;
            if (view && !read.count(node) && !(node->flags & GGML_TENSOR_FLAG_OUTPUT)) {
                harness::fail(__FILE__, __LINE__, std::string(name) + ": nothing reads " + node->name);
            }
        }
    }
}
