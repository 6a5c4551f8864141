#include "model-tools/quantize.h"

#include "core/atomic-file.h"
#include "core/cpu.h"
#include "core/error.h"
#include "core/log.h"
#include "gguf/reader.h"
#include "model/weight-type.h"

#include <llama.h>

namespace llamatune {

void quantize_model(const quantize_options & options) {
    const auto & [input, output, type, n_threads] = options;
    const weight_type wanted = parse_weight_type(type);
    if (wanted.file_type < 0) {
        throw error("UNKNOWN_WEIGHT_TYPE", "cannot quantize a whole model to '" + wanted.name + "'",
                    "use a mix that contains it, e.g. Q4_K_M for Q4_K");
    }
    require_distinct_output(output, {input});
    const gguf_reader checked(input); // throws if the file is not a whole GGUF, which llama.cpp's error would not say

    llama_model_quantize_params params = llama_model_quantize_default_params();
    params.nthread = n_threads > 0 ? n_threads : usable_physical_cores();
    params.ftype = llama_ftype(wanted.file_type);
    params.allow_requantize = true;

    atomic_file file(output); // throws early if it cannot be written; llama.cpp writes to its temporary path
    take_recent_errors();
    if (llama_model_quantize(input.c_str(), file.temporary_path().c_str(), &params) != 0) {
        throw error("QUANTIZE_FAILED",
                    "llama.cpp could not quantize '" + input + "' to " + wanted.name + ": " + take_recent_errors());
    }
    file.commit();
}

}
