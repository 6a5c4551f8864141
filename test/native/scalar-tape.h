#pragma once

#include <cstdint>
#include <utility>
#include <vector>

// Automatic differentiation in double precision, number by number: slow, and simple enough to trust. A number is an
// index in the tape.
class scalar_tape {
public:
    using number = size_t;
    using row = std::vector<number>;
    using edge = std::pair<number, double>; // an argument and the derivative by it

    number add(double value, const std::vector<edge> & arguments = {}) {
        values_.push_back(value);
        edges_.insert(edges_.end(), arguments.begin(), arguments.end());
        ends_.push_back(edges_.size());
        return values_.size() - 1;
    }
    double operator[](number n) const { return values_[n]; }

    number sum(number a, number b) { return add(values_[a] + values_[b], {{a, 1.0}, {b, 1.0}}); }
    number product(number a, number b) { return add(values_[a] * values_[b], {{a, values_[b]}, {b, values_[a]}}); }
    number scaled(number a, double factor) { return add(values_[a] * factor, {{a, factor}}); }

    // Σ a[i] b[i]
    number dot(const number * a, const number * b, size_t n) {
        double value = 0;
        for (size_t i = 0; i < n; i++) {
            value += values_[a[i]] * values_[b[i]];
            edges_.push_back({a[i], values_[b[i]]});
            edges_.push_back({b[i], values_[a[i]]});
        }
        return add(value);
    }

    // Returns the derivatives of `result` by every number up to it.
    std::vector<double> gradients(number result) const {
        std::vector<double> g(result + 1);
        g[result] = 1;
        for (size_t n = result + 1; n-- > 0;) {
            for (size_t e = n ? ends_[n - 1] : 0; e < ends_[n]; e++) g[edges_[e].first] += g[n] * edges_[e].second;
        }
        return g;
    }

private:
    std::vector<double> values_;
    std::vector<edge> edges_; // of all numbers, one after the other
    std::vector<size_t> ends_;
};
