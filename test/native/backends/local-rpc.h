#pragma once

// llama.cpp's RPC servers in threads of this process, on loopback: devices that are not host memory, without a GPU.

#include <ggml-backend.h>

#include <string>
#include <vector>

namespace local_rpc {

// "127.0.0.1:port" of server i, which is started on first use and lives until the process ends.
std::string server(size_t i);

// Its device.
ggml_backend_dev_t device(size_t i);

}
