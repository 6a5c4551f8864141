#pragma once

#include <ggml-backend.h>
#include <ggml.h>

#include <string>
#include <vector>

namespace llamatune {

class gradients;

// Names the ops on the gradient path that have no rule, each once.
std::vector<std::string> ops_without_rule(const gradients & g, const std::vector<ggml_tensor *> & forward);

// Names the ops of the graph that none of these devices runs, each once.
std::vector<std::string> ops_without_device(ggml_cgraph * graph, const std::vector<ggml_backend_dev_t> & devices);

// Throws error UNSUPPORTED_OP, naming all of them, unless both lists are empty. `what` names the model in the message.
void require_no_missing(const std::vector<std::string> & without_rule, const std::vector<std::string> & without_device,
                        const std::string & what);

}
