// The gradient of a scan does not depend on how many tokens are taken at once.

#include "autodiff/engine/backward.h"
#include "autodiff/engine/gradient-size.h"
#include "autodiff/op-cases.h"
#include "autodiff/rules/rule-table.h"
#include "autodiff/rules/ssm.h"
#include "core/ggml-ptr.h"
#include "harness.h"

#include <ggml-backend.h>

using namespace llamatune;
using op_cases::leaves;
using op_cases::scan_shape;

namespace {

struct result {
    std::vector<std::vector<float>> gradients;
    int nodes;
};

result gradients_by(const scan_shape & shape, bool by_head, int64_t most_tokens) {
    leaves made(11);
    ggml_tensor * scan = op_cases::scan(made, shape, by_head);
    ggml_tensor * output = ggml_sqr(made.ctx(), scan); // the states at the end take part
    ggml_tensor * weight = made.constant({output->ne[0]}, 0.2f, 1.0f);
    ggml_backend_ptr cpu{ggml_backend_init_by_type(GGML_BACKEND_DEVICE_TYPE_CPU, nullptr)};
    made.allocate(ggml_backend_get_default_buffer_type(cpu.get()));
    ggml_cgraph * graph = ggml_new_graph_custom(made.ctx(), 2048, false);
    ggml_build_forward_expand(graph, output);
    std::vector<ggml_tensor *> nodes;
    for (int i = 0; i < ggml_graph_n_nodes(graph); i++) nodes.push_back(ggml_graph_node(graph, i));
    gradients g(made.ctx(), graph, {ggml_backend_get_device(cpu.get())}, rule_mode::composed);
    for (ggml_tensor * p : made.parameters()) g.want(p);
    g.set_rule(scan, [=](gradients & to, ggml_tensor * node, ggml_tensor * dy) {
        rules::ssm_scan_by(to, node, dy, most_tokens);
    });
    mark_gradient_path(g, nodes);
    g.add(output, weight);
    run_backward(g, nodes);
    std::vector<ggml_tensor *> results;
    for (ggml_tensor * p : made.parameters()) {
        results.push_back(g.contiguous(g.of(p)));
        ggml_set_output(results.back());
        ggml_build_forward_expand(graph, results.back());
    }
    std::unique_ptr<ggml_gallocr, decltype(&ggml_gallocr_free)> allocator{
        ggml_gallocr_new(ggml_backend_get_default_buffer_type(cpu.get())), ggml_gallocr_free};
    CHECK(ggml_gallocr_alloc_graph(allocator.get(), graph));
    CHECK(ggml_backend_graph_compute(cpu.get(), graph) == GGML_STATUS_SUCCESS);
    result r{{}, ggml_graph_n_nodes(graph)};
    for (const ggml_tensor * t : results) {
        r.gradients.emplace_back(size_t(ggml_nelements(t)));
        ggml_backend_tensor_get(t, r.gradients.back().data(), 0, ggml_nbytes(t));
    }
    return r;
}

void expect_independent(const scan_shape & shape, bool by_head, std::initializer_list<int64_t> lengths) {
    const result whole = gradients_by(shape, by_head, 0);
    for (const int64_t most : lengths) {
        const result parts = gradients_by(shape, by_head, most);
        CHECK(parts.nodes > whole.nodes); // it is cut at all
        for (size_t p = 0; p < whole.gradients.size(); p++) {
            double error = 0, norm = 0;
            for (size_t i = 0; i < whole.gradients[p].size(); i++) {
                error += std::pow(double(parts.gradients[p][i]) - double(whole.gradients[p][i]), 2);
                norm += std::pow(double(whole.gradients[p][i]), 2);
            }
            CHECK(norm > 0);
            CHECK(std::sqrt(error / norm) < 1e-5);
        }
    }
}

}

TEST("autodiff/scan: one after another, segments of any length give the gradients of all tokens at once") {
    expect_independent({4, 1, 6, 1, 13, 2}, false, {2, 4});
    expect_independent({4, 3, 4, 2, 21, 2}, true, {5, 8, 20});
}

TEST("autodiff/scan: states that decay by many orders of magnitude within a few tokens have finite gradients") {
    for (const bool by_head : {false, true}) {
        const result r =
            gradients_by({4, 2, 4, 1, 200, 1}, by_head, 0); // chunks of 64 tokens, decays down to e^-2 each
        for (const auto & gradient : r.gradients) {
            for (const float v : gradient) CHECK(std::isfinite(v));
        }
    }
}

// Nothing is computed here: sizes of models, not of tests.
TEST("autodiff/scan: rules make no more tensors than there is room made for") {
    struct shape {
        int64_t size, n_head, n_t, n_seqs;
    };
    const auto check = [](const shape & s, const std::function<ggml_tensor *(ggml_context *, const shape &)> & make) {
        constexpr size_t most = 40000;
        ggml_context_ptr owner{
            ggml_init({most * ggml_tensor_overhead() + ggml_graph_overhead_custom(most, false), nullptr, true})};
        ggml_context * ctx = owner.get();
        ggml_tensor * node = make(ctx, s);
        gradients g(ctx, ggml_new_graph_custom(ctx, most, false),
                    {ggml_backend_dev_by_type(GGML_BACKEND_DEVICE_TYPE_CPU)}, rule_mode::composed);
        for (const ggml_tensor * source : node->src) {
            if (source && source->type == GGML_TYPE_F32) g.want(source);
        }
        ggml_tensor * dy = ggml_dup_tensor(ctx, node);
        const size_t before = ggml_used_mem(ctx);
        find_rule(node)(g, node, dy);
        const size_t made = (ggml_used_mem(ctx) - before) / ggml_tensor_overhead();
        CHECK(made > 50);
        CHECK(made <= tensors_of_gradient(node));
    };
    const auto scan_of = [](int64_t d_state, bool by_head) {
        return [=](ggml_context * ctx, const shape & s) {
            const auto tensor = [&](int64_t a, int64_t b, int64_t c, int64_t d) {
                return ggml_new_tensor_4d(ctx, GGML_TYPE_F32, a, b, c, d);
            };
            ggml_tensor *b = tensor(d_state, 1, s.n_t, s.n_seqs), *c = tensor(d_state, 1, s.n_t, s.n_seqs);
            return ggml_ssm_scan(ctx, tensor(d_state, s.size, s.n_head, s.n_seqs),
                                 tensor(s.size, s.n_head, s.n_t, s.n_seqs), tensor(s.n_head, s.n_t, s.n_seqs, 1),
                                 tensor(by_head ? 1 : d_state, s.n_head, 1, 1), b, c,
                                 ggml_new_tensor_1d(ctx, GGML_TYPE_I32, s.n_seqs), 1);
        };
    };
    const auto attention_of = [](ggml_op op) {
        return [=](ggml_context * ctx, const shape & s) {
            const auto t = [&] { return ggml_new_tensor_3d(ctx, GGML_TYPE_F32, s.size, s.n_head, s.n_t * s.n_seqs); };
            ggml_tensor * state = ggml_new_tensor_2d(ctx, GGML_TYPE_F32, s.size * s.size * s.n_head, s.n_seqs);
            ggml_tensor *k = t(), *v = t(), *q = t(), *w = t();
            if (op == GGML_OP_GATED_LINEAR_ATTN) return ggml_gated_linear_attn(ctx, k, v, q, w, state, 1.0f);
            if (op == GGML_OP_RWKV_WKV7) return ggml_rwkv_wkv7(ctx, q, w, k, v, t(), t(), state);
            return ggml_rwkv_wkv6(ctx, k, v, q, ggml_new_tensor_2d(ctx, GGML_TYPE_F32, s.size, s.n_head), w, state);
        };
    };
    const auto net_of = [](bool own_rates) {
        return [=](ggml_context * ctx, const shape & s) {
            const auto t = [&](int64_t size) {
                return ggml_new_tensor_4d(ctx, GGML_TYPE_F32, size, s.n_head, s.n_t, s.n_seqs);
            };
            ggml_tensor *q = t(s.size), *k = t(s.size), *v = t(s.size), *gate = t(own_rates ? s.size : 1), *beta = t(1);
            return ggml_gated_delta_net(ctx, q, k, v, gate, beta,
                                        ggml_new_tensor_4d(ctx, GGML_TYPE_F32, s.size, s.size, s.n_head, s.n_seqs), 1);
        };
    };
    for (const int64_t n_t : {1, 63, 100, 512, 2048}) {
        for (const int64_t n_seqs : {1, 2}) {
            for (const bool own_rates : {false, true}) {
                check({128, 1, n_t, n_seqs}, net_of(own_rates));
                check({128, 32, n_t, n_seqs}, net_of(own_rates));
            }
            check({1, 5120, n_t, n_seqs}, scan_of(16, false));
            check({1, 64, n_t, n_seqs}, scan_of(16, false));
            check({64, 64, n_t, n_seqs}, scan_of(128, true));
            for (const ggml_op op : {GGML_OP_GATED_LINEAR_ATTN, GGML_OP_RWKV_WKV6, GGML_OP_RWKV_WKV7}) {
                check({64, 1, n_t, n_seqs}, attention_of(op));
                check({64, 32, n_t, n_seqs}, attention_of(op));
            }
        }
    }
}
