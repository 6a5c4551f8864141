#pragma once

// Runs llama.cpp's RPC servers in threads of this process, on loopback. They provide non-host devices without a GPU.

#include <ggml-backend.h>

#include <string>
#include <vector>

namespace local_rpc {

// "127.0.0.1:port" of server i, which starts on first use and runs until the process ends.
std::string server(size_t i);

// The device of server i.
ggml_backend_dev_t device(size_t i);

}
