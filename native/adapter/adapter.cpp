#include "adapter/adapter.h"

#include "adapter/adapter-keys.h"
#include "adapter/init.h"
#include "core/error.h"
#include "core/ggml-ptr.h"
#include "core/hash.h"

#include "llama-adapter.h"
#include "llama-model.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <utility>

namespace llamatune {

namespace {

// A pair is allocated on its weight's device. If the weight is memory-mapped or repacked on the CPU, the pair is in
// plain CPU memory.
ggml_backend_buffer_type_t pair_buffer_type(const ggml_tensor * weight) {
    const ggml_backend_buffer_type_t type = weight->buffer ? ggml_backend_buffer_get_type(weight->buffer) : nullptr;
    if (!type || ggml_backend_buft_is_host(type)) { return ggml_backend_cpu_buffer_type(); }
    const ggml_backend_dev_t device = ggml_backend_buft_get_device(type);
    if (!device || ggml_backend_dev_type(device) == GGML_BACKEND_DEVICE_TYPE_CPU) {
        return ggml_backend_cpu_buffer_type();
    }
    return type;
}

// Makes tensors of the pair's shapes for this weight.
std::pair<ggml_tensor *, ggml_tensor *> make_pair_tensors(ggml_context * ctx, const lora_target & target,
                                                          int64_t rank) {
    const int64_t * w = target.weight->ne;
    if (is_looked_up(target.name)) // stored transposed
        return {ggml_new_tensor_2d(ctx, GGML_TYPE_F32, rank, w[1]), ggml_new_tensor_2d(ctx, GGML_TYPE_F32, rank, w[0])};
    return {ggml_new_tensor_3d(ctx, GGML_TYPE_F32, w[0], rank, w[2]),
            ggml_new_tensor_3d(ctx, GGML_TYPE_F32, rank, w[1], w[2])};
}

}

std::unique_ptr<adapter> adapter::create(std::shared_ptr<model> base, const adapter_options & options) {
    const int32_t rank = options.rank.value_or(8);
    const float alpha = options.alpha.value_or(16.0f);
    const bool rs_lora = options.rs_lora.value_or(false);
    if (rank < 1)
        throw error("CONFIG_INVALID", "expected a LoRA rank of at least 1 but received " + std::to_string(rank));
    if (!(alpha > 0.0f) || !std::isfinite(alpha))
        throw error("CONFIG_INVALID", "expected a LoRA alpha above 0 but received " + std::to_string(alpha));
    const adapter_init init = find_adapter_init(options.init);
    std::vector<slot> slots;
    for (lora_target & target : match_targets(*base, options.targets)) slots.push_back({std::move(target), rank});
    // llama.cpp divides alpha by the rank.
    std::unique_ptr<adapter> out =
        zeros(std::move(base), std::move(slots), rs_lora ? alpha * std::sqrt(float(rank)) : alpha, rs_lora);
    for (const lora_pair & pair : out->pairs_) {
        rng random(options.seed, hash_text(pair.a->name));
        init(pair, random);
    }
    return out;
}

std::unique_ptr<adapter> adapter::zeros(std::shared_ptr<model> base, std::vector<slot> slots, float alpha,
                                        std::optional<bool> rs_lora) {
    std::sort(slots.begin(), slots.end(),
              [](const slot & x, const slot & y) { return in_target_order(x.target.name, y.target.name); });
    std::unique_ptr<adapter> out(new adapter(std::move(base), rs_lora));
    out->allocate(slots, alpha);
    return out;
}

void adapter::allocate(const std::vector<slot> & slots, float alpha) {
    if (slots.empty()) { throw error("NO_TARGETS", "no LoRA targets"); }
    auto lora = std::make_unique<llama_adapter_lora>(base_->handle());
    lora->alpha = alpha;

    std::map<ggml_backend_buffer_type_t, ggml_context *> contexts; // each buffer type's tensors share one buffer
    for (const slot & s : slots) {
        ggml_context *& ctx = contexts[pair_buffer_type(s.target.weight)];
        if (!ctx) {
            ctx = ggml_init({2 * slots.size() * ggml_tensor_overhead(), nullptr, /* no_alloc */ true});
            if (!ctx) { throw error("OUT_OF_MEMORY", "out of memory creating the adapter's tensors"); }
            lora->ctxs.emplace_back(ctx);
        }
        const auto [a, b] = make_pair_tensors(ctx, s.target, s.rank);
        lora_pair pair{s.target.name, s.target.weight, a, b};
        ggml_set_name(pair.a, (pair.name + adapter_keys::suffix_a).c_str());
        ggml_set_name(pair.b, (pair.name + adapter_keys::suffix_b).c_str());
        lora->ab_map.emplace(pair.name, llama_adapter_lora_weight(pair.a, pair.b));
        pairs_.push_back(std::move(pair));
    }
    for (const auto & [type, ctx] : contexts) {
        ggml_backend_buffer_t buffer = ggml_backend_alloc_ctx_tensors_from_buft(ctx, type);
        if (!buffer) {
            throw error("OUT_OF_MEMORY",
                        "out of memory allocating an adapter of " + std::to_string(n_parameters()) + " parameters on " +
                            ggml_backend_buft_name(type),
                        "lower the rank or name fewer targets");
        }
        lora->bufs.emplace_back(buffer);
        ggml_backend_buffer_clear(buffer, 0);
    }

    const std::lock_guard<std::mutex> lock(base_->mutex());
    base_->handle()->loras.insert(lora.get());
    handle_ = lora.release();
}

adapter::~adapter() {
    if (handle_) {
        const std::lock_guard<std::mutex> lock(base_->mutex());
        llama_adapter_lora_free(handle_); // also removes it from the model's list
    }
}

float adapter::alpha() const { return handle_->alpha; }

int64_t adapter::n_parameters() const {
    int64_t n = 0;
    for (const lora_pair & pair : pairs_) { n += ggml_nelements(pair.a) + ggml_nelements(pair.b); }
    return n;
}

}
