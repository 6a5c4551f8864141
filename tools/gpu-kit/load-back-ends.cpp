// Loads the back ends next to the program before main(), for programs of llama.cpp that expect them to be linked in.
#include <ggml-backend.h>

namespace {

const bool loaded = (ggml_backend_load_all(), true);

}
