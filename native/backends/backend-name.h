#pragma once

#include <ggml-backend.h>

#include <string>

namespace llamatune {

// "cpu", "cuda", "hip", "vulkan", "metal", "rpc", …: the back end of a device, in lower case and by its usual name.
std::string backend_of(ggml_backend_dev_t device);

std::string lower_case(std::string text); // ASCII

}
