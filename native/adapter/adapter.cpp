#include "adapter/adapter.h"

#include "adapter/fingerprint.h"
#include "core/error.h"
#include "core/ggml-ptr.h"
#include "core/rng.h"

#include "llama-adapter.h"
#include "llama-model.h"

#include <cmath>
#include <map>

namespace llamatune {

namespace {

// The pair lies where its weight lies; beside a memory-mapped or repacked weight of the CPU, in plain memory.
ggml_backend_buffer_type_t buffer_type_beside(const ggml_tensor * weight) {
    const ggml_backend_buffer_type_t type = weight->buffer ? ggml_backend_buffer_get_type(weight->buffer) : nullptr;
    if (!type || ggml_backend_buft_is_host(type)) { return ggml_backend_cpu_buffer_type(); }
    const ggml_backend_dev_t device = ggml_backend_buft_get_device(type);
    if (!device || ggml_backend_dev_type(device) == GGML_BACKEND_DEVICE_TYPE_CPU) {
        return ggml_backend_cpu_buffer_type();
    }
    return type;
}

void init_kaiming_uniform(const lora_pair & pair, uint64_t seed) {
    rng random(seed, hash_text(pair.a->name));
    const float bound = 1.0f / std::sqrt((float)pair.a->ne[0]);
    std::vector<float> values((size_t)ggml_nelements(pair.a));
    for (float & value : values) { value = random.uniform(-bound, bound); }
    ggml_backend_tensor_set(pair.a, values.data(), 0, ggml_nbytes(pair.a));
}

}

std::unique_ptr<adapter> adapter::create(std::shared_ptr<model> base, const adapter_options & options) {
    if (options.rank < 1) {
        throw error("CONFIG_INVALID",
                    "expected a LoRA rank of at least 1 but received " + std::to_string(options.rank));
    }
    if (!(options.alpha > 0.0f) || !std::isfinite(options.alpha)) {
        throw error("CONFIG_INVALID", "expected a LoRA alpha above 0 but received " + std::to_string(options.alpha));
    }
    std::vector<slot> slots;
    for (lora_target & target : match_targets(*base, options.targets)) {
        slots.push_back({std::move(target), options.rank});
    }
    // llama.cpp divides alpha by the rank.
    const float alpha = options.rs_lora ? options.alpha * std::sqrt((float)options.rank) : options.alpha;
    std::unique_ptr<adapter> out = zeros(std::move(base), slots, alpha);
    for (const lora_pair & pair : out->pairs_) { init_kaiming_uniform(pair, options.seed); }
    return out;
}

std::unique_ptr<adapter> adapter::zeros(std::shared_ptr<model> base, const std::vector<slot> & slots, float alpha) {
    std::unique_ptr<adapter> out(new adapter(std::move(base)));
    out->allocate(slots, alpha);
    return out;
}

void adapter::allocate(const std::vector<slot> & slots, float alpha) {
    if (slots.empty()) { throw error("NO_TARGETS", "expected at least one LoRA target but received none"); }
    auto lora = std::make_unique<llama_adapter_lora>(base_->handle());
    lora->alpha = alpha;

    std::map<ggml_backend_buffer_type_t, ggml_context *> contexts; // each buffer type's tensors share one buffer
    for (const slot & s : slots) {
        ggml_context *& ctx = contexts[buffer_type_beside(s.target.weight)];
        if (!ctx) {
            ctx = ggml_init({2 * slots.size() * ggml_tensor_overhead(), nullptr, /* no_alloc */ true});
            if (!ctx) { throw error("OUT_OF_MEMORY", "expected memory for the adapter's tensors but received none"); }
            lora->ctxs.emplace_back(ctx);
        }
        ggml_tensor * w = s.target.weight;
        lora_pair pair{s.target.name, w, ggml_new_tensor_3d(ctx, GGML_TYPE_F32, w->ne[0], s.rank, w->ne[2]),
                       ggml_new_tensor_3d(ctx, GGML_TYPE_F32, s.rank, w->ne[1], w->ne[2])};
        ggml_set_name(pair.a, (pair.name + ".lora_a").c_str());
        ggml_set_name(pair.b, (pair.name + ".lora_b").c_str());
        lora->ab_map.emplace(pair.name, llama_adapter_lora_weight(pair.a, pair.b));
        pairs_.push_back(std::move(pair));
    }
    for (const auto & [type, ctx] : contexts) {
        ggml_backend_buffer_t buffer = ggml_backend_alloc_ctx_tensors_from_buft(ctx, type);
        if (!buffer) {
            throw error("OUT_OF_MEMORY",
                        "expected memory for an adapter of " + std::to_string(n_parameters()) + " parameters on " +
                            ggml_backend_buft_name(type) + " but received none",
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
        llama_adapter_lora_free(handle_); // leaves the model's list too
    }
}

float adapter::alpha() const { return handle_->alpha; }

int64_t adapter::n_parameters() const {
    int64_t n = 0;
    for (const lora_pair & pair : pairs_) { n += ggml_nelements(pair.a) + ggml_nelements(pair.b); }
    return n;
}

}
