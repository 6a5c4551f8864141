#pragma once

// Reads which ops back ends support, as recorded by llama.cpp's tests (vendor/llama.cpp/docs/ops/<name>.csv), for
// devices that this machine lacks.

#include <ggml.h>

#include <map>
#include <string>
#include <vector>

namespace supported_ops {

enum class answer { yes, some, no, unknown }; // some: only some of the cases pass; unknown: there is no such case

class table {
public:
    // Skips the test where the vendored documents are missing (in the npm package).
    explicit table(const std::string & backend);

    // Looks a node up by op, types and whether a source is strided.
    answer runs(const ggml_tensor * node) const;

private:
    struct row {
        std::map<std::string, std::string> parameters;
        bool supported;
    };
    std::map<std::string, std::vector<row>> rows_; // by the op's name
};

// "MUL_MAT f16 f32 -> f32": an op with the types that its support depends on.
std::string text_of(const ggml_tensor * node);

}
