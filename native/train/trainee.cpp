#include "train/trainee.h"

#include "adapter/adapter-file.h"
#include "adapter/compatibility.h"
#include "core/error.h"
#include "model-tools/save.h"
#include "train/linear-targets.h"
#include "train/plan.h"

#include <cstring>

namespace llamatune {

trainee::trainee(std::shared_ptr<model> base, const train_options & options)
    : base_(std::move(base)), options_(options) {
    if (options_.mode == train_mode::full) {
        if (base_->options().use_mmap || base_->options().repack) {
            throw error("MODEL_NOT_TRAINABLE",
                        "expected a model loaded without memory mapping and repacking but received one loaded with it",
                        "Load it with useMmap: false and repack: false to train its own weights.");
        }
        return;
    }
    adapter_options asked;
    asked.rank = options_.lora.rank;
    asked.alpha = options_.lora.alpha;
    asked.rs_lora = options_.lora.rs_lora;
    asked.init = options_.lora.init.value_or(asked.init);
    if (options_.lora.targets) asked.targets = expand_targets(*options_.lora.targets, base_, shape_of(options_));
    asked.seed = options_.seed;
    if (!options_.lora.init_adapter) {
        adapter_ = adapter::create(base_, asked);
        return;
    }
    adapter_header file(*options_.lora.init_adapter);
    check_trainable(file, *base_);
    check_options(file, asked,
                  asked.targets.empty() ? std::vector<lora_target>() : match_targets(*base_, asked.targets));
    adapter_ = load_adapter(file, base_);
}

void trainee::collect(const forward & graph) {
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
            // frequency tables are constants of the architecture; what only takes part in a choice has no gradient
            if (std::strncmp(weight->name, "rope_", 5) == 0 || !read.with_gradient.count(weight)) { continue; }
            if (weight->type != GGML_TYPE_F32) {
                throw error("MODEL_NOT_TRAINABLE",
                            std::string("expected F32 weights but received ") + ggml_type_name(weight->type) + " in " +
                                weight->name,
                            "Full training needs an F32 model; a LoRA adapter trains on any type.");
            }
            // gains and biases are not decayed, as is usual
            tensors.push_back({weight->name, weight, 1.0f, ggml_n_dims(weight) > 1});
        }
    }
    parameters_ = std::make_unique<parameter_set>(tensors);
}

void trainee::save(const std::string & path) const {
    if (!adapter_) {
        save_model(*base_, path);
        return;
    }
    write_adapter(path, *adapter_, {{"seed", std::to_string(options_.seed)}});
}

}
