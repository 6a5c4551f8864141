#pragma once

// A training step of a tiny model, with access to its gradients and to its loss at other parameters.

#include "train/smooth-graph.h"
#include "train/step.h"
#include "train/trainable-weights.h"

#include <functional>
#include <map>
#include <string>

namespace tiny {

// Loads the generated model of an architecture once. The generator draws norm weights around 0, which would suppress
// the residual stream, so they are moved to 1.
std::shared_ptr<llamatune::model> arch(const std::string & name);
// Loads the model again with these options, for other devices.
std::shared_ptr<llamatune::model> arch_on(const std::string & name, llamatune::load_options options);
// The same for the model in options.path.
std::shared_ptr<llamatune::model> load_with_norms(llamatune::load_options options);

using tensor_values = std::vector<std::vector<float>>; // one per parameter, in their order

struct training_options {
    llamatune::train_mode mode = llamatune::train_mode::lora;
    std::vector<std::string> targets; // empty: every kind of the model
    const char * precision = "f32";   // of matrix products, as in compute()
    llamatune::step_options step;
    uint32_t context_length = 0; // see forward
};

class training {
public:
    // If `moved`, B is moved away from zero, where A would have no gradient.
    training(std::shared_ptr<llamatune::model> m, const llamatune::micro_batch & batch,
             const training_options & options, bool moved = true);

    const std::vector<llamatune::parameter> & parameters() const { return weights_.parameters().all(); }

    // Returns the mean cross-entropy of the targets, by a forward pass only.
    double loss(const llamatune::micro_batch & batch);
    // The same through a smooth_graph, on the CPU; on other devices, loss().
    double smooth_loss(const llamatune::micro_batch & batch);
    // Makes smooth_loss() stay on the linear pieces and selections that it has on this batch with the current
    // parameters.
    void hold_pieces(const llamatune::micro_batch & batch);
    void release_pieces();
    // Returns the sums of the metrics over the targets, by a forward pass only.
    llamatune::named_numbers metrics(const llamatune::micro_batch & batch);
    // Runs forward and backward and adds the gradients to the existing ones; `weight` is that of each target. The
    // load-balance loss counts with its mean over the tokens.
    double run(const llamatune::micro_batch & batch, double weight);
    // The sums of the last run().
    const llamatune::named_numbers & metric_sums() const { return forward_and_backward_->metric_sums(); }
    double load_balance_loss() const { return forward_and_backward_->load_balance_loss(); }
    size_t compute_bytes() const { return forward_and_backward_->compute_bytes(); }
    llamatune::step_graphs graphs() const { return forward_and_backward_->graphs(); }
    std::vector<llamatune::profile_entry> profile() const { return forward_and_backward_->profile(); }
    // Runs AdamW steps on one batch, with the gradients multiplied by `clip`. Returns the last gradient norm.
    double optimize(const llamatune::micro_batch & batch, int steps, double learning_rate, double clip = 1.0);
    void save(const std::string & path) const { weights_.save(path); }
    void zero_gradients() { weights_.parameters().zero_gradients(); }

    tensor_values gradients() const;
    tensor_values values() const;
    void set_values(const tensor_values & values);

private:
    llamatune::train_options options_;
    llamatune::trainable_weights weights_;
    llamatune::compute devices_;
    std::unique_ptr<smooth_graph> smooth_; // null on other devices
    std::unique_ptr<llamatune::step> forward_and_backward_, forward_only_, smooth_forward_;
};

double dot(const tensor_values & a, const tensor_values & b);
// ‖a - b‖ / ‖b‖
double relative_error(const tensor_values & a, const tensor_values & b);

// Which parameters a direction moves, by name.
using selection = std::function<bool(const std::string & name)>;

// The slope of the loss along a direction of unit length.
struct slope {
    double numeric, analytic;
    double uncertainty; // of `numeric`, estimated from differences over several steps
};

// Returns the slope of the mean loss along `direction` (normalized to length 1): measured, and <gradients, direction>.
// `staircase`: the forward pass rounds activations to 8 bits, so the loss is noisy.
slope compare_slopes(training & t, const llamatune::micro_batch & batch, const tensor_values & gradients,
                     tensor_values direction, bool staircase = false);

tensor_values random_direction(const training & t, const selection & selected, uint64_t seed);
tensor_values only(const training & t, tensor_values direction, const selection & selected);

// "attn_k" for blk.1.attn_k.weight.lora_a, "output" for output.weight.
std::string kind_of(const std::string & parameter);

// Computes the gradients of the mean loss over the batch, after zeroing them.
tensor_values gradients_of(training & t, const llamatune::micro_batch & batch);

// Checks for each kind of weight the slope along a mix of the kind's gradient, which reveals a wrong length, and a
// random direction, which reveals a wrong component (a random direction alone would be nearly orthogonal to the
// gradient). `tolerance` is relative to the kind's gradient. Returns a description of the errors.
std::string check_slopes(training & t, const llamatune::micro_batch & batch, double tolerance, bool staircase = false);
// How far the computed slope is from the measured one, and the uncertainty of the latter, relative to the kind's
// gradient.
struct deviation {
    double value, uncertainty;
};
// Returns the deviation for each selected kind of weight.
std::map<std::string, deviation> slope_deviations(training & t, const llamatune::micro_batch & batch,
                                                  const selection & kinds);
// Fails the test unless the description is empty.
void expect_slopes(const std::string & wrong);

}
