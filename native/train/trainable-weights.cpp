#include "train/trainable-weights.h"

#include "adapter/adapter-file.h"
#include "adapter/compatibility.h"
#include "core/error.h"
#include "model-tools/save.h"
#include "model/weights.h"
#include "train/linear-targets.h"
#include "train/plan.h"

#include <cstring>

namespace llamatune {

trainable_weights::trainable_weights(std::shared_ptr<model> base, const train_options & options)
    : base_(std::move(base)), options_(options) {
    if (options_.mode == train_mode::full) {
        if (base_->options().use_mmap || base_->options().repack) {
            throw error("MODEL_NOT_TRAINABLE",
                        "cannot train the weights of a model that was loaded with memory mapping or repacking",
                        "Load it with useMmap: false and repack: false.");
        }
        return;
    }
    adapter_options requested;
    requested.rank = options_.lora.rank;
    requested.alpha = options_.lora.alpha;
    requested.rs_lora = options_.lora.rs_lora;
    requested.init = options_.lora.init.value_or(requested.init);
    if (options_.lora.targets) requested.targets = expand_targets(*options_.lora.targets, base_, first_shape(options_));
    requested.seed = options_.seed;
    if (!options_.lora.init_adapter) {
        adapter_ = adapter::create(base_, requested);
        return;
    }
    adapter_header file(*options_.lora.init_adapter);
    check_trainable(file, *base_);
    check_options(file, requested,
                  requested.targets.empty() ? std::vector<lora_target>() : match_targets(*base_, requested.targets));
    adapter_ = load_adapter(file, base_);
    options_.lora.rs_lora = file.rs_lora.value_or(requested.rs_lora.value_or(false));
    options_.lora.alpha = file.option_alpha(*options_.lora.rs_lora);
}

void trainable_weights::collect(const forward & graph) {
    std::vector<trained_tensor> tensors;
    if (adapter_) {
        for (const lora_pair & pair : adapter_->pairs()) {
            tensors.push_back({pair.a->name, pair.a, 1.0f, true});
            tensors.push_back({pair.b->name, pair.b, options_.lora.plus_ratio, true});
        }
    } else {
        const std::vector<ggml_tensor *> weights = graph.weights();
        const read_tensors read = tensors_read(graph, {weights.begin(), weights.end()}, compute(*base_, 1));
        for (ggml_tensor * weight : weights) {
            // frequency tables are constants of the architecture; weights that only feed a selection have no gradient
            if (std::strncmp(weight->name, "rope_", 5) == 0 || !read.with_gradient.count(weight)) { continue; }
            if (weight->type != GGML_TYPE_F32) {
                throw error("MODEL_NOT_TRAINABLE",
                            std::string("cannot train ") + weight->name + ": its type is " +
                                ggml_type_name(weight->type) + ", not F32",
                            "Full-parameter training needs an F32 model; LoRA works with any type.");
            }
            // weight decay does not apply to gains and biases, as is usual
            tensors.push_back({weight->name, weight, 1.0f, ggml_n_dims(weight) > 1});
        }
    }
    parameters_ = std::make_unique<parameter_set>(tensors);
}

uint64_t trainable_weights::bytes() const {
    return adapter_ ? uint64_t(parameters_->n_elements()) * sizeof(float) : total_bytes(*base_);
}

void trainable_weights::save(const std::string & path) const {
    if (!adapter_) {
        save_model(*base_, path);
        return;
    }
    write_adapter(path, *adapter_, {{"seed", std::to_string(options_.seed)}});
}

}
