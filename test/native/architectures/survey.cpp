#include "architectures/survey.h"

#include "adapter/adapter-file.h"
#include "core/error.h"
#include "graph/logits.h"
#include "harness.h"
#include "model/tiny-models.h"
#include "tiny-batch.h"
#include "train/linear-targets.h"
#include "train/tiny-training.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <map>
#include <set>

using namespace llamatune;

namespace architectures {

namespace {

// Compares three samples in one row with the same samples in separate rows.
bool packs(const std::shared_ptr<model> & m) {
    const micro_batch apart = tiny_batch(*m, 3, 40);
    micro_batch packed = apart;
    packed.shape.n_rows = 1;
    packed.shape.sequence_length = 120;
    packed.shape.packed = true;
    for (int i = 0; i < 120; i++) packed.segment_id[size_t(i)] = i / 40;
    try {
        return logits::nmse(logits::by_training_graph(m, packed), logits::by_training_graph(m, apart)) < 1e-9;
    } catch (const error & e) {
        if (e.code() == "PACKING_UNSUPPORTED") return false;
        throw;
    }
}

std::vector<std::string> kinds_of(const std::vector<std::string> & weights) {
    std::set<std::string> kinds;
    for (const std::string & weight : weights) kinds.insert(tiny::kind_of(weight));
    return {kinds.begin(), kinds.end()};
}

// Compares the gradient of each kind of weight with differences of the loss in several batches. The worst batch counts,
// by how far the gradient is from the measured slope beyond the uncertainty of the measurement.
void check_slopes(tiny::training & t, const model & m, batches which, row & r) {
    constexpr double measured = 0.05, exact = 5e-4; // largest uncertainties
    std::map<std::string, double> least_uncertainty;
    const auto wanted = [&](const std::string & kind) {
        const auto found = least_uncertainty.find(kind);
        return which == batches::all || found == least_uncertainty.end() || !(found->second <= exact);
    };
    for (const uint64_t seed : {7, 70, 71}) {
        for (const auto & [kind, found] : tiny::slope_deviations(t, tiny_batch(m, 2, 9, seed), wanted)) {
            double & least = least_uncertainty.emplace(kind, INFINITY).first->second;
            least = std::min(least, found.uncertainty);
            if (found.uncertainty <= measured) r.slopes = std::max(r.slopes, found.value - found.uncertainty);
        }
    }
    for (const auto & [kind, least] : least_uncertainty) {
        if (!(least <= measured)) r.slopes = INFINITY; // no batch measures it
        if (least > exact) r.faint.push_back(kind);
    }
}

void check_training(const std::shared_ptr<model> & m, const std::string & name, batches which, row & r) {
    const micro_batch batch = tiny_batch(*m, 2, 9);
    const linear_targets targets = find_linear_targets(m, {batch.shape.n_rows, batch.shape.sequence_length, false});
    r.trained = kinds_of(targets.trainable);
    r.selected = kinds_of(targets.selecting);
    r.unread = kinds_of(targets.unread);
    if (targets.trainable.empty()) throw harness::failure("no linear layer that llama.cpp puts an adapter on");

    tiny::training_options options;
    options.targets = targets.trainable;
    tiny::training t(m, batch, options);
    const tiny::tensor_values g = tiny::gradients_of(t, batch);
    check_slopes(t, *m, which, r);

    options.step.gradient.rules = rule_mode::composed;
    tiny::training composed(m, batch, options);
    r.composed = tiny::relative_error(tiny::gradients_of(composed, batch), g);

    options.step.gradient.rules = rule_mode::automatic;
    tiny::training fresh(m, batch, options, false);
    r.first_loss = fresh.loss(batch);
    fresh.optimize(batch, 10, 5e-3);
    r.tenth_loss = fresh.loss(batch);
    const std::string file = tiny::scratch("survey-" + name + ".gguf");
    fresh.save(file);
    const auto lora = read_adapter(file, m);
    r.stock = logits::nmse(logits::by_training_graph(m, batch, lora->handle()), logits::by_decode(*m, batch, file));
    std::filesystem::remove(file);
}

}

std::vector<std::string> all_names() {
    std::vector<std::string> names;
    for (const auto & entry : std::filesystem::directory_iterator(harness::arch_model_directory())) {
        if (entry.path().extension() == ".gguf") names.push_back(entry.path().stem().string());
    }
    std::sort(names.begin(), names.end());
    return names;
}

row survey(const std::string & name, batches which) {
    row r;
    r.name = name;
    r.one_sequence = r.three_sequences = r.slopes = r.composed = r.first_loss = r.tenth_loss = r.stock = NAN;
    try {
        {
            const auto m = model::load({harness::arch_model(name)});
            // 100 is not a multiple of a cache's padding
            const micro_batch one = tiny_batch(*m, 1, 100), three = tiny_batch(*m, 3, 100);
            r.one_sequence = logits::nmse(logits::by_training_graph(m, one), logits::by_decode(*m, one));
            r.three_sequences = logits::nmse(logits::by_training_graph(m, three), logits::by_decode(*m, three));
            r.packed = packs(m);
        }
        r.slopes = 0;
        check_training(tiny::arch(name), name, which, r);
    } catch (const error & e) { r.problem = e.code() + ": " + e.what(); } catch (const std::exception & e) {
        r.problem = e.what();
    }
    return r;
}

}
