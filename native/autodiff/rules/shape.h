#pragma once

#include "autodiff/rules/rule.h"

namespace llamatune::rules {

void reshape(gradients & g, ggml_tensor * node, ggml_tensor * dy);
void view(gradients & g, ggml_tensor * node, ggml_tensor * dy);
void permute(gradients & g, ggml_tensor * node, ggml_tensor * dy);
void transpose(gradients & g, ggml_tensor * node, ggml_tensor * dy);
void copy(gradients & g, ggml_tensor * node, ggml_tensor * dy); // CONT, CPY, DUP: also a change of type
void repeat(gradients & g, ggml_tensor * node, ggml_tensor * dy);
void concat(gradients & g, ggml_tensor * node, ggml_tensor * dy);
void get_rows(gradients & g, ggml_tensor * node, ggml_tensor * dy);

}
