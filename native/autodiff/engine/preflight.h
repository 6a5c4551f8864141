#pragma once

#include <ggml-backend.h>
#include <ggml.h>

#include <string>
#include <vector>

namespace llamatune {

class gradients;

// Op names, each once, on the gradient path without a rule.
std::vector<std::string> ops_without_rule(const gradients & g, const std::vector<ggml_tensor *> & forward);

// Op names, each once, in the graph that none of these devices runs.
std::vector<std::string> ops_without_device(ggml_cgraph * graph, const std::vector<ggml_backend_dev_t> & devices);

// Throws error UNSUPPORTED_OP that names them all, when there are any. `what` names the model for the message.
void require_no_missing(const std::vector<std::string> & without_rule, const std::vector<std::string> & without_device,
                        const std::string & what);

}
