#include "model/weight-type.h"

#include "core/error.h"
#include "core/join.h"

#include <llama.h>

#include <cctype>
#include <vector>

namespace llamatune {

namespace {

weight_type pure(const char * name, ggml_type type, int32_t file_type) { return {name, type, type, type, file_type}; }

const std::vector<weight_type> & named_types() {
    static const std::vector<weight_type> types = {
        pure("F32", GGML_TYPE_F32, LLAMA_FTYPE_ALL_F32),
        pure("F16", GGML_TYPE_F16, LLAMA_FTYPE_MOSTLY_F16),
        pure("BF16", GGML_TYPE_BF16, LLAMA_FTYPE_MOSTLY_BF16),
        pure("Q4_0", GGML_TYPE_Q4_0, LLAMA_FTYPE_MOSTLY_Q4_0),
        pure("Q4_1", GGML_TYPE_Q4_1, LLAMA_FTYPE_MOSTLY_Q4_1),
        pure("Q5_0", GGML_TYPE_Q5_0, LLAMA_FTYPE_MOSTLY_Q5_0),
        pure("Q5_1", GGML_TYPE_Q5_1, LLAMA_FTYPE_MOSTLY_Q5_1),
        pure("Q8_0", GGML_TYPE_Q8_0, LLAMA_FTYPE_MOSTLY_Q8_0),
        {"Q2_K", GGML_TYPE_Q2_K, GGML_TYPE_Q4_K, GGML_TYPE_Q6_K, LLAMA_FTYPE_MOSTLY_Q2_K},
        {"Q3_K_S", GGML_TYPE_Q3_K, GGML_TYPE_Q3_K, GGML_TYPE_Q6_K, LLAMA_FTYPE_MOSTLY_Q3_K_S},
        {"Q3_K_M", GGML_TYPE_Q3_K, GGML_TYPE_Q4_K, GGML_TYPE_Q6_K, LLAMA_FTYPE_MOSTLY_Q3_K_M},
        {"Q3_K_L", GGML_TYPE_Q3_K, GGML_TYPE_Q5_K, GGML_TYPE_Q6_K, LLAMA_FTYPE_MOSTLY_Q3_K_L},
        {"Q4_K_S", GGML_TYPE_Q4_K, GGML_TYPE_Q4_K, GGML_TYPE_Q6_K, LLAMA_FTYPE_MOSTLY_Q4_K_S},
        {"Q4_K_M", GGML_TYPE_Q4_K, GGML_TYPE_Q6_K, GGML_TYPE_Q6_K, LLAMA_FTYPE_MOSTLY_Q4_K_M},
        {"Q5_K_S", GGML_TYPE_Q5_K, GGML_TYPE_Q5_K, GGML_TYPE_Q6_K, LLAMA_FTYPE_MOSTLY_Q5_K_S},
        {"Q5_K_M", GGML_TYPE_Q5_K, GGML_TYPE_Q6_K, GGML_TYPE_Q6_K, LLAMA_FTYPE_MOSTLY_Q5_K_M},
        pure("Q6_K", GGML_TYPE_Q6_K, LLAMA_FTYPE_MOSTLY_Q6_K),
        pure("IQ4_NL", GGML_TYPE_IQ4_NL, LLAMA_FTYPE_MOSTLY_IQ4_NL),
        pure("IQ4_XS", GGML_TYPE_IQ4_XS, LLAMA_FTYPE_MOSTLY_IQ4_XS),
        pure("IQ3_S", GGML_TYPE_IQ3_S, LLAMA_FTYPE_MOSTLY_IQ3_S),
        pure("TQ1_0", GGML_TYPE_TQ1_0, LLAMA_FTYPE_MOSTLY_TQ1_0),
        pure("TQ2_0", GGML_TYPE_TQ2_0, LLAMA_FTYPE_MOSTLY_TQ2_0),
        // One type for all matrices, by ggml's name; llama.cpp has no file type for these.
        pure("Q3_K", GGML_TYPE_Q3_K, -1),
        pure("Q4_K", GGML_TYPE_Q4_K, -1),
        pure("Q5_K", GGML_TYPE_Q5_K, -1),
        pure("IQ2_S", GGML_TYPE_IQ2_S, -1),
        pure("IQ3_XXS", GGML_TYPE_IQ3_XXS, -1),
        pure("MXFP4", GGML_TYPE_MXFP4, -1),
    };
    return types;
}

std::string upper(std::string text) {
    for (char & c : text) c = char(std::toupper(static_cast<unsigned char>(c)));
    return text;
}

}

weight_type parse_weight_type(const std::string & name) {
    const std::string wanted = upper(name);
    std::string known;
    for (const weight_type & type : named_types()) {
        if (type.name == wanted) return type;
        append_to(known, type.name);
    }
    throw error("UNKNOWN_WEIGHT_TYPE", "unknown weight type '" + name + "'", "use one of " + known);
}

ggml_type fitting_type(ggml_type type, int64_t row_length) {
    if (row_length % ggml_blck_size(type) == 0) return type;
    ggml_type smaller = GGML_TYPE_F16;
    switch (type) {
    case GGML_TYPE_Q4_K: smaller = GGML_TYPE_Q5_0; break;
    case GGML_TYPE_Q5_K: smaller = GGML_TYPE_Q5_1; break;
    case GGML_TYPE_Q6_K: smaller = GGML_TYPE_Q8_0; break;
    case GGML_TYPE_TQ1_0:
    case GGML_TYPE_TQ2_0: smaller = GGML_TYPE_Q4_0; break;
    case GGML_TYPE_Q2_K:
    case GGML_TYPE_Q3_K:
    case GGML_TYPE_IQ2_S:
    case GGML_TYPE_IQ3_XXS:
    case GGML_TYPE_IQ3_S:
    case GGML_TYPE_IQ4_XS: smaller = GGML_TYPE_IQ4_NL; break;
    default: break;
    }
    return row_length % ggml_blck_size(smaller) == 0 ? smaller : GGML_TYPE_F16;
}

bool is_fine_layer(int64_t layer, int64_t n_layers) {
    const int64_t eighth = n_layers / 8;
    return layer < eighth || layer >= 7 * n_layers / 8 || (layer - eighth) % 3 == 2;
}

}
