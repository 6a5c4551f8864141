#include "autodiff/engine/gradients.h"

#include "autodiff/engine/dequantize.h"
#include "core/error.h"
#include "core/matmul-type.h"

#include <algorithm>
#include <limits>

namespace llamatune {

namespace {

// The alignment that a device's kernels need where they start to read. Kernels that read host memory need none.
size_t alignment_of(ggml_backend_dev_t device) {
    ggml_backend_buffer_type_t type = ggml_backend_dev_buffer_type(device);
    return ggml_backend_buft_is_host(type) ? 1 : ggml_backend_buft_get_alignment(type);
}

// On fast GPUs small slices cost more in launches than in work, and a slice of 1/128 of the memory is affordable.
int64_t default_slice_bytes(const std::vector<ggml_backend_dev_t> & devices) {
    constexpr int64_t least = 32ll << 20;
    int64_t smallest = std::numeric_limits<int64_t>::max();
    for (ggml_backend_dev_t device : devices) {
        if (!multiplies_in(device, GGML_TYPE_F32)) continue;
        size_t free = 0, total = 0;
        ggml_backend_dev_memory(device, &free, &total);
        smallest = std::min(smallest, int64_t(total / 128));
    }
    return smallest == std::numeric_limits<int64_t>::max() ? least : std::max(least, smallest);
}

}

gradients::gradients(graph_builder & graph, std::vector<ggml_backend_dev_t> devices, const gradient_options & options)
    : graph_(graph), devices_(std::move(devices)), options_(options) {
    for (ggml_backend_dev_t device : devices_) alignment_ = std::max(alignment_, alignment_of(device));
    if (options_.slice_bytes == 0) options_.slice_bytes = default_slice_bytes(devices_);
}

ggml_tensor * gradients::of(const ggml_tensor * t) const {
    const auto found = gradient_.find(t);
    return found == gradient_.end() ? nullptr : found->second;
}

ggml_tensor * gradients::take(const ggml_tensor * t) {
    ggml_tensor * total = of(t);
    gradient_.erase(t);
    return total;
}

void gradients::add(ggml_tensor * t, ggml_tensor * dy) {
    if (!wants(t)) { return; }
    if (!ggml_are_same_shape(t, dy)) {
        if (ggml_nelements(t) != ggml_nelements(dy)) {
            throw error("GRADIENT_SHAPE", std::string("the gradient of ") + t->name + " (" + ggml_op_desc(t) +
                                              ") has another number of elements than the tensor");
        }
        dy = ggml_reshape(ctx(), contiguous(dy), t);
    }
    if (const auto kept = accumulators_.find(t); kept != accumulators_.end()) {
        run(ggml_add_inplace(ctx(), kept->second, unscaled(dy)));
        return;
    }
    ggml_tensor *& total = gradient_[t];
    if (total) {
        unshared_[t] = total = ggml_add(ctx(), contiguous(total), contiguous(dy));
    } else {
        total = dy;
    }
    run(total);
}

ggml_tensor * gradients::unshared(const ggml_tensor * t) const {
    const auto found = unshared_.find(t);
    ggml_tensor * total = of(t);
    return found != unshared_.end() && found->second == total ? total : nullptr;
}

void gradients::set_unshared(ggml_tensor * t, ggml_tensor * dy) {
    unshared_[t] = gradient_[t] = dy;
    run(dy);
}

void gradients::add_window(ggml_tensor * t, ggml_tensor * dy, size_t nb1, size_t nb2, size_t nb3, size_t offset) {
    if (!wants(t)) { return; }
    if (const auto kept = accumulators_.find(t); kept != accumulators_.end()) {
        run(ggml_acc_inplace(ctx(), kept->second, unscaled(dy), nb1, nb2, nb3, offset));
        return;
    }
    ggml_tensor *& total = gradient_[t];
    ggml_tensor *& windows = unshared_[t];
    if (!total) { windows = total = zeros(t); }
    // Accumulate in place only if no other tensor shares the sum: a tensor passed to add() may be several gradients.
    const auto accumulate = total == windows ? ggml_acc_inplace : ggml_acc;
    windows = total = accumulate(ctx(), contiguous(total), contiguous(dy), nb1, nb2, nb3, offset);
    run(total);
}

bool gradients::allows(const ggml_tensor * fused) const { return options_.rules != rule_mode::composed && runs(fused); }

bool gradients::runs(const ggml_tensor * node) const {
    if (options_.only_common_ops && node->op != GGML_OP_MUL_MAT) { return false; }
    for (ggml_backend_dev_t device : devices_) {
        // an accelerator runs only products and leaves all other ops to the CPU
        if (ggml_backend_dev_type(device) != GGML_BACKEND_DEVICE_TYPE_ACCEL &&
            !ggml_backend_dev_supports_op(device, node)) {
            return false;
        }
    }
    return true;
}

bool gradients::accelerated(const ggml_tensor * product) const {
    if (options_.rules == rule_mode::composed) { return false; }
    bool found = false;
    for (ggml_backend_dev_t device : devices_) {
        const bool supported = ggml_backend_dev_supports_op(device, product);
        if (ggml_backend_dev_type(device) == GGML_BACKEND_DEVICE_TYPE_ACCEL) {
            found = found || supported;
        } else if (!ggml_backend_buft_is_host(ggml_backend_dev_buffer_type(device))) {
            // a GPU's tensors would first have to be copied to the accelerator
            if (options_.multiplies_on_host || !supported || !multiplies_in(device, GGML_TYPE_F32)) return false;
            found = true;
        }
    }
    return found;
}

ggml_tensor * gradients::unscaled(ggml_tensor * dy) {
    dy = contiguous(dy);
    return unscale_ ? ggml_mul(ctx(), dy, unscale_) : dy;
}

ggml_tensor * gradients::contiguous(ggml_tensor * t) {
    if (!ggml_is_contiguous(t) || t->view_offs % alignment_ != 0) { return ggml_cont(ctx(), t); }
    // A dimension of size one may have any stride; some ops assert the stride of a dense tensor.
    size_t stride = ggml_type_size(t->type);
    for (int i = 0; i < GGML_MAX_DIMS; i++) {
        if (t->nb[i] != stride) return ggml_reshape(ctx(), t, t);
        stride = i == 0 ? ggml_row_size(t->type, t->ne[0]) : stride * size_t(t->ne[i]);
    }
    return t;
}

ggml_tensor * gradients::transposed(ggml_tensor * t) { return ggml_cont(ctx(), ggml_transpose(ctx(), as_f32(t))); }

ggml_tensor * gradients::as_f32(ggml_tensor * t) { return t->type == GGML_TYPE_F32 ? t : dequantized(*this, t); }

ggml_tensor * gradients::filled(float value, int64_t ne0, int64_t ne1, int64_t ne2, int64_t ne3) {
    // FILL needs a tensor to fill, which occupies memory during the whole graph: fill one number and repeat it.
    ggml_tensor * number = ggml_fill(ctx(), ggml_new_tensor_1d(ctx(), GGML_TYPE_F32, 1), value);
    return ggml_repeat_4d(ctx(), number, ne0, ne1, ne2, ne3);
}

ggml_tensor * gradients::zeros(const ggml_tensor * shape) {
    return filled(0.0f, shape->ne[0], shape->ne[1], shape->ne[2], shape->ne[3]);
}

ggml_tensor * gradients::sum_to(ggml_tensor * t, const ggml_tensor * shape) {
    if (ggml_are_same_shape(t, shape)) { return t; }
    t = contiguous(t);
    ggml_tensor target = *shape;
    target.type = GGML_TYPE_F32;
    if (ggml_tensor * fused = ggml_repeat_back(ctx(), t, &target); allows(fused)) {
        // the target is only read for its shape and type; it is a local variable and does not become a source
        return fused;
    }
    // A broadcast repeats `shape` in tiles: along each dimension, element i comes from i % shape->ne. So the dimension
    // is split into [shape->ne, tiles], and the tiles are moved to the front and summed.
    for (int dim = GGML_MAX_DIMS - 1; dim >= 0; dim--) {
        const int64_t kept = shape->ne[dim];
        const int64_t tiles = t->ne[dim] / kept;
        if (tiles == 1) { continue; }
        int64_t inner = 1, outer = 1;
        for (int i = 0; i < dim; i++) inner *= t->ne[i];
        for (int i = dim + 1; i < GGML_MAX_DIMS; i++) outer *= t->ne[i];
        int64_t ne[GGML_MAX_DIMS] = {t->ne[0], t->ne[1], t->ne[2], t->ne[3]};
        ne[dim] = kept;
        ggml_tensor * split = ggml_reshape_3d(ctx(), t, inner * kept, tiles, outer);
        ggml_tensor * front = ggml_cont(ctx(), ggml_permute(ctx(), split, 1, 0, 2, 3)); // [tiles, inner*kept, outer]
        t = ggml_reshape_4d(ctx(), ggml_sum_rows(ctx(), front), ne[0], ne[1], ne[2], ne[3]);
    }
    return t;
}

ggml_tensor * gradients::mean_rows(ggml_tensor * t) {
    return ggml_scale(ctx(), ggml_sum_rows(ctx(), t), 1.0f / float(t->ne[0]));
}

ggml_tensor * gradients::one_minus(ggml_tensor * t) { return ggml_scale_bias(ctx(), t, -1.0f, 1.0f); }

}
