#pragma once

#include <ggml-backend.h>

namespace llamatune {

// ggml's registry entry with the accelerator as its only device; see register_accelerator().
ggml_backend_reg_t accelerator_registry();

}
