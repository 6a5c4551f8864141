#include "model/weight-type.h"

#include "core/error.h"
#include "core/join.h"

#include <llama.h>

#include <cctype>

namespace llamatune {

namespace {

std::string upper(std::string text) {
    for (char & c : text) c = char(std::toupper(static_cast<unsigned char>(c)));
    return text;
}

// The name is ggml's, so that it is written once.
weight_type pure(ggml_type type, int32_t file_type = -1) {
    return {upper(ggml_type_name(type)), type, type, type, file_type};
}

const std::vector<weight_type> & named_types() {
    static const std::vector<weight_type> types = {
        pure(GGML_TYPE_F32, LLAMA_FTYPE_ALL_F32),
        pure(GGML_TYPE_F16, LLAMA_FTYPE_MOSTLY_F16),
        pure(GGML_TYPE_BF16, LLAMA_FTYPE_MOSTLY_BF16),
        pure(GGML_TYPE_Q4_0, LLAMA_FTYPE_MOSTLY_Q4_0),
        pure(GGML_TYPE_Q4_1, LLAMA_FTYPE_MOSTLY_Q4_1),
        pure(GGML_TYPE_Q5_0, LLAMA_FTYPE_MOSTLY_Q5_0),
        pure(GGML_TYPE_Q5_1, LLAMA_FTYPE_MOSTLY_Q5_1),
        pure(GGML_TYPE_Q8_0, LLAMA_FTYPE_MOSTLY_Q8_0),
        {"Q2_K", GGML_TYPE_Q2_K, GGML_TYPE_Q4_K, GGML_TYPE_Q6_K, LLAMA_FTYPE_MOSTLY_Q2_K},
        {"Q3_K_S", GGML_TYPE_Q3_K, GGML_TYPE_Q3_K, GGML_TYPE_Q6_K, LLAMA_FTYPE_MOSTLY_Q3_K_S},
        {"Q3_K_M", GGML_TYPE_Q3_K, GGML_TYPE_Q4_K, GGML_TYPE_Q6_K, LLAMA_FTYPE_MOSTLY_Q3_K_M},
        {"Q3_K_L", GGML_TYPE_Q3_K, GGML_TYPE_Q5_K, GGML_TYPE_Q6_K, LLAMA_FTYPE_MOSTLY_Q3_K_L},
        {"Q4_K_S", GGML_TYPE_Q4_K, GGML_TYPE_Q4_K, GGML_TYPE_Q6_K, LLAMA_FTYPE_MOSTLY_Q4_K_S},
        {"Q4_K_M", GGML_TYPE_Q4_K, GGML_TYPE_Q6_K, GGML_TYPE_Q6_K, LLAMA_FTYPE_MOSTLY_Q4_K_M},
        {"Q5_K_S", GGML_TYPE_Q5_K, GGML_TYPE_Q5_K, GGML_TYPE_Q6_K, LLAMA_FTYPE_MOSTLY_Q5_K_S},
        {"Q5_K_M", GGML_TYPE_Q5_K, GGML_TYPE_Q6_K, GGML_TYPE_Q6_K, LLAMA_FTYPE_MOSTLY_Q5_K_M},
        pure(GGML_TYPE_Q6_K, LLAMA_FTYPE_MOSTLY_Q6_K),
        pure(GGML_TYPE_IQ4_NL, LLAMA_FTYPE_MOSTLY_IQ4_NL),
        pure(GGML_TYPE_IQ4_XS, LLAMA_FTYPE_MOSTLY_IQ4_XS),
        pure(GGML_TYPE_IQ3_S, LLAMA_FTYPE_MOSTLY_IQ3_S),
        pure(GGML_TYPE_TQ1_0, LLAMA_FTYPE_MOSTLY_TQ1_0),
        pure(GGML_TYPE_TQ2_0, LLAMA_FTYPE_MOSTLY_TQ2_0),
        // one type for all matrices, for which llama.cpp has no file type
        pure(GGML_TYPE_Q3_K),
        pure(GGML_TYPE_Q4_K),
        pure(GGML_TYPE_Q5_K),
        pure(GGML_TYPE_IQ2_S),
        pure(GGML_TYPE_IQ3_XXS),
        pure(GGML_TYPE_MXFP4),
    };
    return types;
}

}

std::vector<std::string> weight_type_names() {
    std::vector<std::string> names;
    for (const weight_type & type : named_types()) names.push_back(type.name);
    return names;
}

weight_type parse_weight_type(const std::string & name) {
    const std::string wanted = upper(name);
    for (const weight_type & type : named_types()) {
        if (type.name == wanted) return type;
    }
    std::string known;
    for (const std::string & each : weight_type_names()) append_to(known, each);
    throw error("UNKNOWN_WEIGHT_TYPE", "unknown weight type '" + name + "'", "use one of " + known);
}

int32_t file_type_of(const std::string & name) {
    const weight_type type = parse_weight_type(name);
    if (type.file_type < 0)
        throw error("UNKNOWN_WEIGHT_TYPE", "cannot quantize a whole model to '" + type.name + "'",
                    "use a mix that contains it, e.g. Q4_K_M for Q4_K");
    return type.file_type;
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
