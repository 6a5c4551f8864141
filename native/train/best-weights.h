#pragma once

#include "optim/parameter.h"

#include <vector>

namespace llamatune {

// A copy, in host memory, of the trained tensors as they were at the evaluation with the lowest loss.
class best_weights {
public:
    // `parameters` must outlive this.
    explicit best_weights(const parameter_set & parameters) : parameters_(parameters) {}

    bool stored() const { return !values_.empty(); }
    void store(); // copies the parameters
    void load();  // copies the stored values into the parameters

    // The stored bytes of one parameter. allocate() makes room for values that are read from a file.
    std::vector<char> & value(size_t parameter) { return values_[parameter]; }
    void allocate();

private:
    const parameter_set & parameters_;
    std::vector<std::vector<char>> values_; // one per parameter; empty before the first store()
};

}
