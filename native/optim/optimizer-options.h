#pragma once

#include "core/named-numbers.h"

namespace llamatune {

// An optimizer and its numeric options by name, as in the configuration: { type: 'adamw', beta1: 0.9, … }.
struct optimizer_options {
    std::string type = "adamw";
    named_numbers numbers;
    float max_gradient_norm = 1.0f; // global-norm clipping (0 = off)
};

template <class V>
void fields(V & v, optimizer_options & o) {
    v("type", o.type);
    v("maxGradientNorm", o.max_gradient_norm);
    v.numbers(o.numbers); // all other options
}

}
