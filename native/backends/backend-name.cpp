#include "backends/backend-name.h"

#include <cctype>

namespace llamatune {

std::string lower_case(std::string text) {
    for (char & c : text) c = char(std::tolower(static_cast<unsigned char>(c)));
    return text;
}

std::string backend_of(ggml_backend_dev_t device) {
    ggml_backend_reg_t reg = ggml_backend_dev_backend_reg(device);
    std::string name = reg ? lower_case(ggml_backend_reg_name(reg)) : "";
    // ggml's names of the AMD and Apple back ends
    if (name == "rocm") return "hip";
    if (name == "mtl") return "metal";
    return name;
}

}
