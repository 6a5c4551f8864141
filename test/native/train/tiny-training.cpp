#include "train/tiny-training.h"

#include "adapter/targets.h"
#include "core/rng.h"
#include "harness.h"
#include "model/weights.h"
#include "optim/optimizer.h"

#include <cmath>
#include <iomanip>
#include <set>

using namespace llamatune;

namespace tiny {

std::shared_ptr<model> arch(const std::string & name) {
    static std::map<std::string, std::shared_ptr<model>> loaded;
    auto & m = loaded[name];
    if (m) return m;
    m = arch_on(name, {});
    return m;
}

std::shared_ptr<model> arch_on(const std::string & name, load_options options) {
    options.path = harness::arch_model(name);
    return load_with_norms(options);
}

std::shared_ptr<model> load_with_norms(load_options options) {
    options.use_mmap = false;
    const auto m = model::load(options);
    for (ggml_tensor * weight : list_weights(*m)) {
        if (std::string(weight->name).find("norm.weight") == std::string::npos) continue;
        std::vector<float> values(size_t(ggml_nelements(weight)));
        ggml_backend_tensor_get(weight, values.data(), 0, ggml_nbytes(weight));
        for (float & v : values) v += 1.0f;
        ggml_backend_tensor_set(weight, values.data(), 0, ggml_nbytes(weight));
    }
    return m;
}

namespace {

train_options options_of(const model & m, const micro_batch & batch, const training_options & options) {
    train_options o;
    o.mode = options.mode;
    o.lora.rank = 4;
    o.lora.alpha = 8;
    o.lora.targets = options.targets.empty() ? target_kinds(m) : options.targets;
    o.seed = 5;
    o.layout = batch.shape.packed ? batch_layout::packed : batch_layout::padded;
    o.micro_batch_size = int32_t(batch.shape.n_rows);
    o.sequence_length = int32_t(batch.shape.sequence_length);
    return o;
}

}

training::training(std::shared_ptr<model> m, const micro_batch & batch, const training_options & options, bool moved)
    : options_(options_of(*m, batch, options)), weights_(m, options_), devices_(*m, 1, options.precision) {
    auto graph = std::make_unique<forward>(m, weights_.adapter_handle(), batch.shape, devices_, options.context_length);
    weights_.collect(*graph);
    rng random(17);
    for (const parameter & p : parameters()) {
        if (!moved || options.mode != train_mode::lora || p.name.find(".lora_b") == std::string::npos) continue;
        std::vector<float> b(size_t(ggml_nelements(p.value)));
        random.fill_normal(b.data(), b.size(), 0.2f);
        ggml_backend_tensor_set(p.value, b.data(), 0, ggml_nbytes(p.value));
    }
    forward_and_backward_ = std::make_unique<step>(std::move(graph), devices_, &weights_.parameters(), options.step);
    step_options only_forward = options.step;
    only_forward.with_backward = false;
    const auto make = [&] {
        return std::make_unique<forward>(m, weights_.adapter_handle(), batch.shape, devices_, options.context_length);
    };
    forward_only_ = std::make_unique<step>(make(), devices_, nullptr, only_forward);
    if (!devices_.on_host()) return;
    graph = make();
    smooth_ = std::make_unique<smooth_graph>(graph->nodes());
    smooth_forward_ = std::make_unique<step>(std::move(graph), devices_, nullptr, only_forward);
}

double training::loss(const micro_batch & batch) {
    return forward_only_->run(batch, 0) / double(batch.target_token.size());
}

double training::smooth_loss(const micro_batch & batch) {
    return smooth_ ? smooth_forward_->run(batch, 0) / double(batch.target_token.size()) : loss(batch);
}

void training::hold_pieces(const micro_batch & batch) {
    if (!smooth_) return;
    smooth_->set(smooth_graph::pieces::record);
    smooth_loss(batch);
    smooth_->set(smooth_graph::pieces::hold);
}

void training::release_pieces() {
    if (smooth_) smooth_->set(smooth_graph::pieces::choose);
}

named_numbers training::metrics(const micro_batch & batch) {
    forward_only_->run(batch, 0);
    return forward_only_->metric_sums();
}

double training::run(const micro_batch & batch, double weight) {
    return forward_and_backward_->run(batch, weight, 1.0 / double(batch.n_tokens));
}

double training::optimize(const micro_batch & batch, int steps, double learning_rate, double clip) {
    optimizer optim(weights_.parameters(), options_.optimizer, devices_);
    double norm = 0;
    for (int i = 1; i <= steps; i++) {
        zero_gradients();
        run(batch, 1.0 / double(batch.target_token.size()));
        norm = optim.gradient_norm();
        optim.update(i, learning_rate, clip);
    }
    return norm;
}

namespace {

tensor_values read(const std::vector<parameter> & parameters, ggml_tensor * parameter::* which) {
    tensor_values values;
    for (const parameter & p : parameters) {
        values.emplace_back(size_t(ggml_nelements(p.value)));
        ggml_backend_tensor_get(p.*which, values.back().data(), 0, ggml_nbytes(p.value));
    }
    return values;
}

}

tensor_values training::gradients() const { return read(parameters(), &parameter::gradient); }
tensor_values training::values() const { return read(parameters(), &parameter::value); }

void training::set_values(const tensor_values & values) {
    for (size_t i = 0; i < values.size(); i++) {
        ggml_tensor * t = parameters()[i].value;
        ggml_backend_tensor_set(t, values[i].data(), 0, ggml_nbytes(t));
    }
}

double dot(const tensor_values & a, const tensor_values & b) {
    double sum = 0;
    for (size_t i = 0; i < a.size(); i++) {
        for (size_t j = 0; j < a[i].size(); j++) sum += double(a[i][j]) * double(b[i][j]);
    }
    return sum;
}

double relative_error(const tensor_values & a, const tensor_values & b) {
    CHECK_EQ(a.size(), b.size());
    tensor_values difference = a;
    for (size_t i = 0; i < a.size(); i++) {
        for (size_t j = 0; j < a[i].size(); j++) difference[i][j] -= b[i][j];
    }
    return std::sqrt(dot(difference, difference) / dot(b, b));
}

namespace {

using function = std::function<double(double)>;

// Computes central differences with ever narrower steps, extrapolated to zero (Ridders 1982). If the slope is small,
// small steps may agree by chance, so the rounding of the loss counts as error too. Wide steps may also agree by
// chance, so the narrowest step with a small error decides, or else the step with the smallest error. `expected` only
// decides the first step and what a small error is: a steep loss bends soon, and differences of a flat one are lost in
// rounding if the steps are short.
slope extrapolated_slope(const function & loss_at, double expected) {
    constexpr int n = 8;
    constexpr double rounding = 3e-8; // of the loss
    const double small_error = 3e-4 * std::fabs(expected);
    double table[n][n];
    slope best{0, expected, INFINITY};
    double step =
        0.4 * std::fmin(1.0, 2.0 / std::fabs(expected)) * std::fmax(1.0, std::fmin(16.0, 1e-3 / std::fabs(expected)));
    for (int i = 0; i < n; i++, step /= 3) {
        const double high = loss_at(step), low = loss_at(-step);
        table[i][0] = (high - low) / (2 * step);
        double power = 1, smallest = INFINITY; // of this step
        for (int j = 1; j <= i; j++) {
            power *= 9;
            table[i][j] = (power * table[i][j - 1] - table[i - 1][j - 1]) / (power - 1);
            const double error =
                std::fmax(std::fabs(table[i][j] - table[i][j - 1]), std::fabs(table[i][j] - table[i - 1][j - 1])) +
                rounding * std::fabs(high) / step;
            if (error < smallest && (error < best.uncertainty || error < small_error)) {
                smallest = error;
                best = {table[i][j], expected, error};
            }
        }
        const double next_rounding = 3 * rounding * std::fabs(high) / step;
        if (next_rounding >= small_error && next_rounding >= best.uncertainty) break;
    }
    return best;
}

// Fits a·s + b·s³ to the odd part of the loss at many points by least squares, so that noise averages out.
slope fitted_slope(const function & loss_at, double expected) {
    double s2 = 0, s4 = 0, s6 = 0, y1 = 0, y3 = 0;
    constexpr int n = 16;
    const double widest =
        std::fmin(0.3, 0.1 / std::fabs(expected)); // large enough for the noise, small enough for a cubic
    for (int i = 1; i <= n; i++) {
        const double s = widest * i / n, odd = (loss_at(s) - loss_at(-s)) / 2;
        s2 += s * s;
        s4 += s * s * s * s;
        s6 += s * s * s * s * s * s;
        y1 += odd * s;
        y3 += odd * s * s * s;
    }
    return {(y1 * s6 - y3 * s4) / (s2 * s6 - s4 * s4), expected, NAN};
}

}

slope compare_slopes(training & t, const micro_batch & batch, const tensor_values & gradients, tensor_values direction,
                     bool staircase) {
    const double length = std::sqrt(dot(direction, direction));
    CHECK(length > 0);
    for (auto & values : direction) {
        for (float & v : values) v = float(double(v) / length);
    }
    const tensor_values start = t.values();
    const auto loss_at = [&](double along) {
        tensor_values moved = start;
        for (size_t i = 0; i < moved.size(); i++) {
            for (size_t j = 0; j < moved[i].size(); j++)
                moved[i][j] = float(double(start[i][j]) + along * double(direction[i][j]));
        }
        t.set_values(moved);
        return t.smooth_loss(batch);
    };
    const double expected = dot(gradients, direction);
    t.hold_pieces(batch);
    const slope measured = staircase ? fitted_slope(loss_at, expected) : extrapolated_slope(loss_at, expected);
    t.release_pieces();
    t.set_values(start);
    return measured;
}

tensor_values random_direction(const training & t, const selection & selected, uint64_t seed) {
    rng random(seed);
    tensor_values direction = t.values();
    for (auto & values : direction) random.fill_normal(values.data(), values.size(), 1.0f);
    return only(t, std::move(direction), selected);
}

tensor_values only(const training & t, tensor_values direction, const selection & selected) {
    for (size_t i = 0; i < direction.size(); i++) {
        if (!selected(t.parameters()[i].name)) std::fill(direction[i].begin(), direction[i].end(), 0.0f);
    }
    return direction;
}

std::string kind_of(const std::string & parameter) {
    const size_t from = parameter.rfind("blk.", 0) == 0 ? parameter.find('.', 4) + 1 : 0;
    const size_t end = parameter.find(".weight", from);
    return parameter.substr(from, end == std::string::npos ? end : end - from);
}

tensor_values gradients_of(training & t, const micro_batch & batch) {
    t.zero_gradients();
    t.run(batch, 1.0 / double(batch.target_token.size()));
    return t.gradients();
}

namespace {

std::set<std::string> kinds_of(const training & t) {
    std::set<std::string> kinds;
    for (const parameter & p : t.parameters()) kinds.insert(kind_of(p.name));
    return kinds;
}

// Returns for each selected kind of weight the measured slope, the computed one and the length of the kind's gradient.
void each_slope(training & t, const micro_batch & batch, const selection & selected, bool staircase,
                const std::function<void(const std::string & kind, const slope & s, double length)> & found) {
    const tensor_values g = gradients_of(t, batch);
    uint64_t seed = 99;
    for (const std::string & kind : kinds_of(t)) {
        seed++;
        if (!selected(kind)) continue;
        const auto of_kind = [&](const std::string & name) { return kind_of(name) == kind; };
        const tensor_values own = only(t, g, of_kind);
        const double length = std::sqrt(dot(own, own));
        const tensor_values random = random_direction(t, of_kind, seed);
        if (!(length > 1e-6)) {
            found(kind, {}, length);
            continue;
        }
        tensor_values leaning = own;
        const double random_length = std::sqrt(dot(random, random));
        for (size_t i = 0; i < leaning.size(); i++) {
            for (size_t j = 0; j < leaning[i].size(); j++) {
                leaning[i][j] = float(double(own[i][j]) / length + double(random[i][j]) / random_length);
            }
        }
        found(kind, compare_slopes(t, batch, g, leaning, staircase), length);
    }
}

}

std::string check_slopes(training & t, const micro_batch & batch, double tolerance, bool staircase) {
    std::ostringstream wrong;
    wrong << std::setprecision(5);
    each_slope(
        t, batch, [](const std::string &) { return true; }, staircase,
        [&](const std::string & kind, const slope & s, double length) {
            if (!(length > 1e-6)) {
                wrong << " " << kind << ": a gradient of length " << length << ";";
            } else if (!(std::fabs(s.numeric - s.analytic) <= tolerance * length)) {
                wrong << " " << kind << ": " << s.numeric << " measured, " << s.analytic << " computed, of length "
                      << length << ";";
            }
        });
    return wrong.str();
}

std::map<std::string, deviation> slope_deviations(training & t, const micro_batch & batch, const selection & kinds) {
    std::map<std::string, deviation> deviations;
    each_slope(t, batch, kinds, false, [&](const std::string & kind, const slope & s, double length) {
        deviations[kind] = length > 1e-6 ? deviation{std::fabs(s.numeric - s.analytic) / length, s.uncertainty / length}
                                         : deviation{INFINITY, 0};
    });
    return deviations;
}

void expect_slopes(const std::string & wrong) {
    if (!wrong.empty()) throw harness::failure("expected the gradient to be the loss's slope but received" + wrong);
}

}
