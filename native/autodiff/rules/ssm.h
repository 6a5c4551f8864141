#pragma once

#include "autodiff/rules/rule.h"

namespace llamatune::rules {

void ssm_conv(gradients & g, ggml_tensor * node, ggml_tensor * dy);
void ssm_scan(gradients & g, ggml_tensor * node, ggml_tensor * dy);
// The same with at most so many tokens at once: what a test compares with.
void ssm_scan_by(gradients & g, ggml_tensor * node, ggml_tensor * dy, int64_t most_tokens);

}
