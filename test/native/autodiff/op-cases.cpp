#include "autodiff/op-cases.h"

#include <ggml-backend.h>

#include <algorithm>

namespace op_cases {

leaves::leaves(uint64_t seed) : random_(seed) {
    leaf_ctx_.reset(ggml_init({64 * ggml_tensor_overhead(), nullptr, true}));
}

ggml_tensor * leaves::leaf(ggml_type type, const std::vector<int64_t> & ne) {
    return ggml_new_tensor(leaf_ctx_.get(), type, int(ne.size()), ne.data());
}

ggml_tensor * leaves::parameter(std::vector<int64_t> ne, float lo, float hi) {
    ggml_tensor * t = constant(std::move(ne), lo, hi);
    parameters_.push_back(t);
    return t;
}

ggml_tensor * leaves::signed_parameter(std::vector<int64_t> ne, float lo, float hi) {
    std::vector<float> values;
    ggml_tensor * t = leaf(GGML_TYPE_F32, ne);
    for (int64_t i = 0; i < ggml_nelements(t); i++) {
        const float sign = random_.below(2) ? 1.0f : -1.0f;
        values.push_back(sign * random_.uniform(lo, hi));
    }
    fill_.push_back([=] { ggml_backend_tensor_set(t, values.data(), 0, ggml_nbytes(t)); });
    parameters_.push_back(t);
    return t;
}

ggml_tensor * leaves::constant(std::vector<int64_t> ne, float lo, float hi) {
    std::vector<float> values;
    ggml_tensor * t = leaf(GGML_TYPE_F32, ne);
    for (int64_t i = 0; i < ggml_nelements(t); i++) values.push_back(random_.uniform(lo, hi));
    fill_.push_back([=] { ggml_backend_tensor_set(t, values.data(), 0, ggml_nbytes(t)); });
    return t;
}

ggml_tensor * leaves::typed(ggml_type type, std::vector<int64_t> ne, std::vector<float> values) {
    ggml_tensor * t = leaf(type, ne);
    if (values.empty()) {
        for (int64_t i = 0; i < ggml_nelements(t); i++) values.push_back(random_.uniform(-1.0f, 1.0f));
    }
    fill_.push_back([=] {
        std::vector<char> bytes(ggml_nbytes(t));
        const std::vector<float> importance(size_t(t->ne[0]), 1.0f); // the narrowest types need it
        ggml_quantize_chunk(type, values.data(), bytes.data(), 0, ggml_nrows(t), t->ne[0], importance.data());
        ggml_backend_tensor_set(t, bytes.data(), 0, bytes.size());
    });
    return t;
}

ggml_tensor * leaves::indices(std::vector<int64_t> ne, std::vector<int32_t> values) {
    ggml_tensor * t = leaf(GGML_TYPE_I32, ne);
    fill_.push_back([=] { ggml_backend_tensor_set(t, values.data(), 0, ggml_nbytes(t)); });
    return t;
}

ggml_tensor * leaves::long_indices(std::vector<int64_t> ne, std::vector<int64_t> values) {
    ggml_tensor * t = leaf(GGML_TYPE_I64, ne);
    fill_.push_back([=] { ggml_backend_tensor_set(t, values.data(), 0, ggml_nbytes(t)); });
    return t;
}

void leaves::allocate(ggml_backend_buffer_type_t type) {
    buffer_.reset(ggml_backend_alloc_ctx_tensors_from_buft(leaf_ctx_.get(), type));
    for (const auto & fill : fill_) fill();
}

ggml_tensor * squared(leaves & l, ggml_tensor * x) {
    return ggml_sqr(l.ctx(), ggml_is_contiguous(x) ? x : ggml_cont(l.ctx(), x));
}

const std::vector<op_case> & all() {
    static const std::vector<op_case> cases = [] {
        std::vector<op_case> joined;
        for (const auto & family : {elementwise(), shape(), matmul(), norm(), attention(), hyper_connection(),
                                    triangular(), window(), ssm(), linear_attention(), activations(), moe()}) {
            joined.insert(joined.end(), family.begin(), family.end());
        }
        return joined;
    }();
    return cases;
}

}
