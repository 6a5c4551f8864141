#pragma once

#include "core/named-numbers.h"

namespace llamatune {

// An objective and its numeric options by name, as in the configuration: { type: 'cross-entropy', labelSmoothing: 0 }.
struct objective_options {
    std::string type = "cross-entropy";
    named_numbers numbers;
};

template <class V>
void fields(V & v, objective_options & o) {
    v("type", o.type);
    v.numbers(o.numbers); // all other options
}

}
