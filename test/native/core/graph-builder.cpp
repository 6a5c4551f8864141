#include "core/graph-builder.h"

#include "harness.h"

#include <set>

using namespace llamatune;

namespace {

ggml_tensor * number(tensor_arena & ctx) { return ggml_new_tensor_1d(ctx, GGML_TYPE_F32, 1); }

}

TEST("core/graph-builder: tensors of several contexts make one graph of exactly its size") {
    graph_builder builder;
    constexpr int n_nodes = 40000; // more than one context holds
    std::set<ggml_context *> contexts;
    ggml_tensor * leaf = number(builder.ctx());
    ggml_tensor * sum = leaf;
    for (int i = 0; i < n_nodes; i++) {
        contexts.insert(builder.ctx());
        sum = ggml_add(builder.ctx(), sum, leaf);
    }
    CHECK(contexts.size() > 1);
    builder.expand(sum); // 40,000 nodes deep
    CHECK_EQ(builder.size(), size_t(n_nodes + 1));
    ggml_cgraph * graph = builder.finish();
    CHECK_EQ(ggml_graph_n_nodes(graph), n_nodes);
    CHECK_EQ(ggml_graph_size(graph), n_nodes);
    CHECK(ggml_graph_node(graph, n_nodes - 1) == sum);
}

TEST("core/graph-builder: nodes are in the order of ggml's own graphs") {
    graph_builder builder;
    tensor_arena & ctx = builder.ctx();
    ggml_tensor *a = number(ctx), *b = number(ctx);
    ggml_tensor * left = ggml_mul(ctx, ggml_sqr(ctx, b), a);
    ggml_tensor * right = ggml_sub(ctx, left, ggml_sqrt(ctx, a));
    ggml_tensor * first = ggml_sin(ctx, right->src[1]);
    const ggml_context_ptr owner{ggml_init({ggml_graph_overhead(), nullptr, true})};
    ggml_cgraph * expected = ggml_new_graph(owner.get());
    for (ggml_tensor * t : {first, ggml_add(ctx, right, left)}) {
        ggml_build_forward_expand(expected, t);
        builder.expand(t);
    }
    ggml_cgraph * graph = builder.finish();
    CHECK_EQ(ggml_graph_n_nodes(graph), ggml_graph_n_nodes(expected));
    for (int i = 0; i < ggml_graph_n_nodes(graph); i++) {
        CHECK(ggml_graph_node(graph, i) == ggml_graph_node(expected, i));
    }
}

TEST("core/graph-builder: an order leaves out tensors that only skipped tensors need") {
    graph_builder builder;
    tensor_arena & ctx = builder.ctx();
    ggml_tensor *a = number(ctx), *b = number(ctx);
    ggml_tensor * skipped = ggml_sqr(ctx, a);
    ggml_tensor * result = ggml_add(ctx, skipped, b);
    node_order order;
    order.skip(skipped);
    order.add(result);
    CHECK(order.tensors() == std::vector<ggml_tensor *>({b, result}));
}
