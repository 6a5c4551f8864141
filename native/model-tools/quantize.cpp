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
    const int32_t file_type = file_type_of(type);
    require_distinct_output(output, {input});
    const gguf_reader checked(input); // throws if the file is not a whole GGUF, which llama.cpp's error would not say

    llama_model_quantize_params params = llama_model_quantize_default_params();
    params.nthread = n_threads > 0 ? n_threads : usable_physical_cores();
    params.ftype = llama_ftype(file_type);
    params.allow_requantize = true;

    atomic_file file(output); // throws early if it cannot be written; llama.cpp writes to its temporary path
    take_recent_errors();
    if (llama_model_quantize(input.c_str(), file.temporary_path().c_str(), &params) != 0) {
        throw error("QUANTIZE_FAILED",
                    "llama.cpp could not quantize '" + input + "' to " + type + ": " + take_recent_errors());
    }
    file.commit();
}

}
